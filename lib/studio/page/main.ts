/** The page of `make studio`. */
import "./page.css";
import { Chosen } from "./chosen.ts";
import {
  type Contact,
  type Desk,
  firstView,
  openDesk,
  type PageView,
  type Update,
} from "./desk.ts";
import { Dock } from "./dock.ts";
import { Exercises } from "./exercises.ts";
import { Matrix } from "./matrix.ts";
import { Picture } from "./picture.ts";
import type { PageState } from "../protocol.ts";
import { Predict } from "./predict.ts";
import { Stages } from "./stages.ts";
import { panelOf, Tabs } from "./tabs.ts";
import { Tour } from "./tour.ts";
import { Trace } from "./trace.ts";
import { h, type PagePart, render, useEffect } from "./ui.ts";

const panels = [
  { key: "stages", title: "Stages" },
  { key: "chosen", title: "Chosen" },
  { key: "trace", title: "Trace" },
  { key: "predict", title: "Predict" },
  { key: "exercises", title: "Exercises" },
  { key: "tour", title: "Tour" },
];

const contactWords: Readonly<Record<Contact, string>> = {
  waiting: "Waiting for the first look at the nodes",
  open: "",
  occupied: "The studio is open in another page or browser.",
  taken: "Another page or browser has the studio now.",
  lost:
    "make studio has ended, or cannot be reached; this is what it saw last.",
};

interface PageProps {
  readonly view: PageView;
  readonly desk: Desk;
}

function Page({ view, desk }: PageProps): PagePart {
  const { contact, state } = view;
  useEffect(() => desk.connect(false), []);
  if (contact === "occupied" || contact === "taken") {
    return plainPage(
      contactWords[contact],
      h("button", {
        type: "button",
        onClick: () => desk.connect(true),
      }, "Work here instead"),
    );
  }
  if (state === undefined) return plainPage(contactWords[contact]);
  document.title = `${state.cluster}: deno-cni studio`;
  return h(
    "div",
    { class: "page" },
    h(
      "header",
      {},
      h("h1", {}, `Cluster ${state.cluster}`),
      h("p", { id: "said", role: "status" }, view.said),
      h(
        "p",
        { id: "problem", role: "alert", class: "is-bad" },
        contactWords[contact] || state.problem || "",
      ),
    ),
    h(
      "main",
      {},
      pictureOf(state, { view, desk }),
      h(
        "div",
        { class: "side" },
        h(Tabs, {
          id: "side",
          label: "Work",
          tabs: panels,
          shown: view.panel,
          show: desk.show,
        }),
        ...panels.map(({ key }) =>
          h(
            "div",
            { key, ...panelOf("side", key, key === view.panel) },
            panel(key, state, { view, desk }),
          )
        ),
      ),
      dockOf(view, desk),
    ),
  );
}

function plainPage(text: string, act?: PagePart): PagePart {
  return h(
    "main",
    { class: "plain" },
    h("h1", {}, "deno-cni studio"),
    h("p", { role: "status" }, text),
    act,
  );
}

function pictureOf(state: PageState, { view, desk }: PageProps): PagePart {
  const isNew = state.picture.places.some(({ isNew }) => isNew);
  const buttons = [
    h("button", {
      type: "button",
      "aria-pressed": view.ends !== undefined,
      onClick: () => desk.traceTwo(view),
    }, "Trace two places"),
    isNew
      ? h(
        "button",
        { type: "button", onClick: desk.lookAtAll },
        "Seen all that is new",
      )
      : null,
  ];
  return h(Picture, {
    picture: state.picture,
    buttons,
    chosen: view.ends?.from ?? view.chosen,
    trace: state.trace,
    step: view.step,
    arrived: desk.arrived,
    choose: (place) => desk.choose(place, view),
    look: desk.look,
  });
}

function dockOf(view: PageView, desk: Desk): PagePart {
  return h(Dock, {
    items: view.items,
    shown: view.dockShown,
    show: desk.showDock,
    close: desk.close,
    stop: desk.stop,
  });
}

function panel(
  key: string,
  state: PageState,
  { view, desk }: PageProps,
): PagePart {
  switch (key) {
    case "chosen":
      return h(Chosen, {
        place: view.chosen,
        moment: view.panel === "chosen" ? state : undefined,
        openTerminal: desk.enter,
        traceFrom: desk.traceFrom,
      });
    case "trace":
      return h(Trace, {
        trace: state.trace,
        step: view.step,
        isPlaying: view.isPlaying,
        go: desk.goTo,
        play: desk.play,
        close: desk.closeTrace,
      });
    case "predict":
      return h(Predict, {
        state,
        isShown: view.panel === "predict",
        compared: view.compared,
      });
    case "exercises":
      return h(Exercises, { exercises: view.exercises, trace: desk.trace });
    case "tour":
      return h(Tour, {
        state,
        isShown: view.panel === "tour",
        items: view.items,
        atTerminal: () => desk.openTerminal("The tour", { stage: "tour" }),
      });
    default:
      return h(
        "div",
        {},
        h(Stages, { state, order: desk.order }),
        h(Matrix, {
          matrix: state.matrix,
          trace: desk.trace,
          verify: () => desk.order({ stage: "09-verify", how: "run" }),
        }),
      );
  }
}

let view = firstView;
let isDue = false;
const update: Update = (change) => {
  view = { ...view, ...change(view) };
  if (isDue) return;
  isDue = true;
  queueMicrotask(draw);
};
const desk = openDesk(update);

function draw(): void {
  isDue = false;
  render(h(Page, { view, desk }), document.body);
}

draw();
