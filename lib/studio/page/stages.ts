/** The stages: how each stands on each node, what it would do, and the buttons that do it. */
import type { PageState, StageRow, StageWords } from "../protocol.ts";
import { get } from "./asking.ts";
import { h, type PagePart, useEffect, useState } from "./ui.ts";

/** What a button of a stage asks for. */
export interface StageOrder {
  readonly stage: string;
  readonly how: "run" | "undo" | "step";
  readonly node?: string;
}

interface StagesProps {
  readonly state: PageState;
  readonly order: (order: StageOrder) => void;
}

/** The list of stages; one of them is open. */
export function Stages({ state, order }: StagesProps): PagePart {
  const [open, setOpen] = useState<string | undefined>(undefined);
  const [node, setNode] = useState("");
  const on = node === "" ? {} : { node };
  const opened = state.stages.find(({ name }) => name === open);
  return h(
    "section",
    { "aria-labelledby": "stages-heading" },
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "stages-heading" }, "Stages"),
      h(
        "label",
        {},
        "on ",
        h(
          "select",
          {
            id: "on-node",
            value: node,
            onChange: (event: Event) => {
              if (event.target instanceof HTMLSelectElement) {
                setNode(event.target.value);
              }
            },
          },
          h("option", { value: "" }, "all nodes"),
          ...state.nodes.map((name) => h("option", { value: name }, name)),
        ),
      ),
      h("button", {
        type: "button",
        onClick: () => order({ stage: "up", how: "run" }),
      }, "make up"),
      h("button", {
        type: "button",
        onClick: () => order({ stage: "down", how: "run" }),
      }, "make down"),
    ),
    stageTable(state, open, setOpen),
    opened === undefined ? null : h(OpenStage, {
      key: opened.name,
      row: opened,
      node,
      run: (how) => order({ stage: opened.name, how, ...on }),
    }),
  );
}

/** @param open the stage that is open */
function stageTable(
  state: PageState,
  open: string | undefined,
  setOpen: (name: string | undefined) => void,
): PagePart {
  return h(
    "div",
    { class: "wide", tabIndex: 0, role: "group", "aria-label": "Stages" },
    h(
      "table",
      { id: "stages" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Stage"),
          ...state.nodes.map((name) => h("th", { scope: "col" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        ...state.stages.map((row) => {
          const isOpen = open === row.name;
          const turn = () => setOpen(isOpen ? undefined : row.name);
          return stageRow(row, isOpen, turn);
        }),
      ),
    ),
  );
}

function stageRow(
  { name, cells }: StageRow,
  isOpen: boolean,
  turn: () => void,
): PagePart {
  return h(
    "tr",
    { key: name },
    h(
      "th",
      { scope: "row" },
      h("button", {
        type: "button",
        class: "link",
        "aria-expanded": isOpen,
        ...(isOpen ? { "aria-controls": "opened-stage" } : {}),
        onClick: turn,
      }, name),
    ),
    ...cells.map(({ text, tone }) => h("td", { class: `is-${tone}` }, text)),
  );
}

interface OpenStageProps {
  readonly row: StageRow;
  readonly node: string;
  readonly run: (how: StageOrder["how"]) => void;
}

/** Why a stage is there, what it would do now, and its buttons. */
function OpenStage({ row, node, run }: OpenStageProps): PagePart {
  const [words, setWords] = useState<StageWords | string>("Asking the nodes …");
  const stands = row.cells.map(({ text }) => text).join();
  useEffect(() => {
    let isOld = false;
    const query = { name: row.name, ...(node === "" ? {} : { node }) };
    get<StageWords>("/stage", query)
      .catch((error: Error) => error.message)
      .then((found) => isOld || setWords(found));
    return () => {
      isOld = true;
    };
  }, [row.name, node, stands]);
  const button = (text: string, how: StageOrder["how"]) =>
    h("button", { type: "button", onClick: () => run(how) }, text);
  return h(
    "div",
    { class: "opened", id: "opened-stage" },
    h("h3", {}, row.name),
    h("p", {}, sentence(row.summary)),
    h(
      "div",
      { class: "bar" },
      button("Run", "run"),
      button("Step by step", "step"),
      button("Undo", "undo"),
    ),
    ...(typeof words === "string" ? [h("p", { class: "quiet" }, words)] : [
      words.why.length === 0 ? null : h("p", {}, words.why.join(" ")),
      h("h3", {}, "A run would do now"),
      script(words.pending, `What ${row.name} would do now`),
      h(
        "details",
        {},
        h("summary", {}, "All of its commands"),
        script(words.commands, `All commands of ${row.name}`),
      ),
    ]),
  );
}

function script(text: string, label: string): PagePart {
  return h("pre", { tabIndex: 0, role: "group", "aria-label": label }, text);
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
