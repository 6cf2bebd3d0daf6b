/** The guided tour beside the picture: the stops of the command line, one after the other. */
import type { PageState } from "../protocol.ts";
import type { TourView } from "../tour_protocol.ts";
import { get, post } from "./asking.ts";
import type { DockItem } from "./dock.ts";
import { MarksForm, sentMarks, useMarks } from "./marks.ts";
import { ShownStop } from "./tour_stop.ts";
import { h, type PagePart, useEffect, useState } from "./ui.ts";

interface TourProps {
  readonly state: PageState;
  readonly isShown: boolean;
  readonly items: readonly DockItem[];
  /** Takes the tour at a terminal. */
  readonly atTerminal: () => void;
}

/** How long until it is asked once more whether the tour can begin. */
const again_ms = 10_000;

type Run = DockItem & { readonly is: "run" };

/** The tour as far as it went, its next stop, and the way through. */
export function Tour(props: TourProps): PagePart {
  const { state, items, atTerminal } = props;
  const run = items.findLast((item): item is Run =>
    item.is === "run" && /^make tour\b/.test(item.title)
  );
  const { view, problem, ...tour } = useTour(props, run);
  return h(
    "section",
    { "aria-labelledby": "tour-heading", id: "tour" },
    h("h2", { id: "tour-heading" }, "The tour"),
    h("p", { role: "alert", class: "is-bad" }, problem),
    view === undefined
      ? h("p", { class: "quiet" }, problem === "" ? "Asking the nodes …" : "")
      : h(Visited, {
        ...tour,
        view,
        shown: tour.shown ?? view.made.length,
        ...{ cluster: state.cluster, run, atTerminal },
      }),
  );
}

/** What is known of the tour, and what the buttons do. */
function useTour({ state, isShown }: TourProps, run: Run | undefined) {
  const [view, setView] = useState<TourView | undefined>(undefined);
  const [problem, setProblem] = useState("");
  const [shown, show] = useState<number | undefined>(undefined);
  const [isAnew, setAnew] = useState(false);
  const [begunAfter, setBegunAfter] = useState(Infinity);
  const [knownRun, setKnownRun] = useState<number | undefined>(undefined);
  const isOver = run?.ended !== undefined && run.run > begunAfter;
  const asksAnew = isAnew && !isOver;
  const isUnderWay = run !== undefined && run.ended === undefined;
  const stands = state.stages.map(({ cells }) => cells.map(({ text }) => text));
  const [looks, setLooks] = useState(0);
  const moment = `${stands} ${run?.run} ${run?.ended} ${asksAnew} ${looks}`;
  useEffect(() => {
    // What is done at a stop is asked for once it is whole.
    if (!isShown || isUnderWay) return;
    let isOld = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const settle = (problem: string, found: TourView | undefined) => {
      if (isOld) return;
      setProblem(problem);
      setKnownRun(run?.run);
      if (found !== undefined) setView(found);
      // What is in the tour's way may go without a change of the picture.
      if (found?.note === undefined) return;
      timer = setTimeout(() => setLooks((looks) => looks + 1), again_ms);
    };
    get<TourView>("/tour", asksAnew ? { anew: "" } : {}).then(
      (found) => settle("", found),
      (error: Error) => settle(error.message, undefined),
    );
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [isShown, moment]);
  const begin = async (marks: string | undefined) => {
    const at = view?.made.length ?? 0;
    try {
      await post("/tour", {
        number: String(at + 1),
        ...(asksAnew ? { anew: "yes" } : {}),
        ...(marks === undefined ? {} : { marks }),
      });
      setProblem("");
      setBegunAfter(run?.run ?? 0);
      show(at);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      setProblem(error.message);
    }
  };
  const anew = () => {
    setAnew(true);
    setBegunAfter(Infinity);
    show(0);
  };
  // What a run came to is not known at once when it ends.
  const isRunning = run !== undefined && (isUnderWay || run.run !== knownRun);
  return { view, problem, shown, show, isRunning, begin, anew };
}

interface VisitedProps {
  readonly view: TourView;
  readonly cluster: string;
  /** The place of the stop that is shown. */
  readonly shown: number;
  readonly show: (at: number) => void;
  readonly run: Run | undefined;
  readonly isRunning: boolean;
  readonly begin: (marks: string | undefined) => void;
  readonly anew: () => void;
  readonly atTerminal: () => void;
}

function Visited(props: VisitedProps): PagePart {
  const { view, cluster, shown, show, run, isRunning } = props;
  const { made, next, rows, of, note, mayRun, ending } = view;
  const at = Math.min(
    shown,
    next === undefined ? made.length - 1 : made.length,
  );
  const stop = made[at] ?? next;
  const isNext = at === made.length && next !== undefined;
  const [marks, setMarks] = useMarks(`deno-cni tour ${cluster} ${at}`);
  const failed = isNext && run?.ended !== undefined && !/^done/.test(run.ended);
  const before = made.slice(0, at).findLast(({ table }) => table)?.table;
  return h(
    "div",
    {},
    made.length > 0 ? null : h(
      "p",
      {},
      "It builds the pod network stage by stage, says why each is needed, shows " +
        "the commands and what reaches what from then on, and makes the classic " +
        "mistake on the way. It can be left at any stop and taken up there.",
    ),
    note === undefined ? null : h("p", { class: "way" }, note),
    stop === undefined ? null : h(ShownStop, { key: at, stop, of, before }),
    isNext && rows.length > 0
      ? h(
        "div",
        {},
        h("h4", {}, "What will it be afterwards? (if you like)"),
        h(MarksForm, { id: "tour", rows, marks, set: setMarks }),
      )
      : null,
    failed
      ? h("p", { class: "is-bad" }, `This stop was not done: ${run.ended}`)
      : null,
    isNext && run !== undefined && (isRunning || failed)
      ? h("pre", {
        class: "output",
        tabIndex: 0,
        role: "group",
        "aria-label": "What it prints",
      }, run.text)
      : null,
    ending === undefined || at < of - 1
      ? null
      : h("p", { class: "way", id: "tour-ending" }, ending),
    h(
      "div",
      { class: "bar" },
      button("Back", () => show(at - 1), at <= 0),
      isNext
        ? button(
          isRunning ? "Running …" : `Run stop ${at + 1}`,
          () => {
            props.begin(sentMarks(rows, marks));
            setMarks({});
          },
          !mayRun || isRunning,
        )
        : button("Next stop", () => show(at + 1), at >= of - 1),
      made.length > 0 && !isRunning
        ? button("Begin again", props.anew, false)
        : null,
      made.length === 0 && !isRunning
        ? button("Take it at a terminal", props.atTerminal, false)
        : null,
    ),
  );
}

function button(
  text: string,
  onClick: () => void,
  disabled: boolean,
): PagePart {
  return h("button", { type: "button", onClick, disabled }, text);
}
