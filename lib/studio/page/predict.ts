/** Predictions: what the matrix will be after a stage, said before it runs. */
import type { PageState } from "../protocol.ts";
import type { PredictView } from "../tour_protocol.ts";
import { get, post } from "./asking.ts";
import { MarkedResult, MarksForm, sentMarks, useMarks } from "./marks.ts";
import { h, type PagePart, useEffect, useState } from "./ui.ts";

interface PredictProps {
  readonly state: PageState;
  readonly isShown: boolean;
  /** How many predictions were compared: what came of the last is asked for. */
  readonly compared: number;
}

/** The marks, the button that runs the stage, and what came of it. */
export function Predict(
  { state, isShown, compared }: PredictProps,
): PagePart {
  const [view, setView] = useState<PredictView | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const [begun, setBegun] = useState(0);
  const moment = isShown ? JSON.stringify(state.matrix) : "";
  useEffect(() => {
    if (!isShown) return;
    let isOld = false;
    get<PredictView>("/predict", {}).then(
      (found) => isOld || setView(found),
      (error: Error) => isOld || setProblem(error.message),
    );
    return () => {
      isOld = true;
    };
  }, [moment, compared, begun]);
  return h(
    "section",
    { "aria-labelledby": "predict-heading", id: "predict" },
    h("h2", { id: "predict-heading" }, "Predict"),
    h(
      "p",
      {},
      "Say what will reach what once a stage has run, then run it: what came " +
        "out otherwise stands here with the reason.",
    ),
    h("p", { role: "alert", class: "is-bad" }, problem),
    view === undefined ? null : h(Form, {
      view,
      state,
      run: async (order: Readonly<Record<string, string>>) => {
        setProblem("");
        try {
          await post("/predict", order);
          setBegun(begun + 1);
        } catch (error) {
          if (!(error instanceof Error)) throw error;
          setProblem(error.message);
        }
      },
    }),
    ...(view?.past ?? []).map((marked, at) =>
      h(MarkedResult, {
        key: `${(view?.past.length ?? 0) - at}`,
        marked,
        heading: marked.title,
        level: "h3",
      })
    ),
  );
}

interface FormProps {
  readonly view: PredictView;
  readonly state: PageState;
  readonly run: (order: Readonly<Record<string, string>>) => void;
}

function Form({ view, state, run }: FormProps): PagePart {
  const { rows, stages, pending, total } = view;
  const [marks, setMarks] = useMarks(`deno-cni predict ${state.cluster}`);
  const [wanted, setStage] = useState("");
  const [how, setHow] = useState("run");
  const [node, setNode] = useState("");
  const stage = stages.find((name) => name === wanted) ?? stages[0] ?? "";
  const way = stage === "09-verify" ? "run" : how;
  const text = sentMarks(rows, marks);
  const go = () => {
    if (text === undefined) return;
    run({ stage, how: way, marks: text, ...(node === "" ? {} : { node }) });
    setMarks({});
  };
  return h(
    "div",
    {},
    h(
      "div",
      { class: "bar" },
      picker("after ", stages.map((name) => [name, name]), stage, setStage),
      stage === "09-verify" ? null : picker(
        "",
        [["run", "is run"], ["undo", "is undone"]],
        how,
        setHow,
        "How",
      ),
      picker(
        "on ",
        [["", "all nodes"], ...state.nodes.map((name) => [name, name])],
        node,
        setNode,
      ),
    ),
    h(MarksForm, { id: "predict", rows, marks, set: setMarks }),
    h(
      "div",
      { class: "bar" },
      h("button", {
        type: "button",
        disabled: text === undefined || pending !== undefined,
        onClick: go,
      }, way === "undo" ? `Undo ${stage}, compare` : `Run ${stage}, compare`),
      h(
        "span",
        { class: "quiet", role: "status" },
        pending === undefined
          ? text === undefined ? "Set a mark or more first" : ""
          : `Waiting for the matrix after ${pending}`,
      ),
    ),
    total === undefined ? null : h("p", {}, `All your marks: ${total}`),
  );
}

function picker(
  text: string,
  choices: readonly (readonly string[])[],
  value: string,
  choose: (value: string) => void,
  label?: string,
): PagePart {
  return h(
    "label",
    {},
    text,
    h(
      "select",
      {
        value,
        ...(label === undefined ? {} : { "aria-label": label }),
        onChange: (event: Event) => {
          if (event.target instanceof HTMLSelectElement) {
            choose(event.target.value);
          }
        },
      },
      ...choices.map(([key = "", words]) => h("option", { value: key }, words)),
    ),
  );
}
