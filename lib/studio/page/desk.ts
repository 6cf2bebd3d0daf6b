/** What the page knows and what its buttons do. */
import type {
  ExercisesView,
  PageEvent,
  PagePlace,
  PageState,
} from "../protocol.ts";
import { listenToServer, post } from "./asking.ts";
import type { DockItem } from "./dock.ts";
import { titleOfPlace } from "./picture.ts";
import type { StageOrder } from "./stages.ts";

/** What stands between this page and the cluster. */
export type Contact = "waiting" | "open" | "occupied" | "taken" | "lost";

/** All that is on the page. */
export interface PageView {
  readonly contact: Contact;
  readonly state?: PageState;
  readonly exercises?: ExercisesView;
  readonly items: readonly DockItem[];
  readonly dockShown?: string | undefined;
  readonly panel: string;
  readonly chosen?: PagePlace;
  /** What the page says by itself. */
  readonly said: string;
  /** While two places are chosen for a trace: the first, once it is. */
  readonly ends?: { readonly from?: PagePlace } | undefined;
  readonly step: number;
  readonly isPlaying: boolean;
  /** How many predictions were compared. */
  readonly compared: number;
}

/** Before anything was heard. */
export const firstView: PageView = {
  contact: "waiting",
  items: [],
  panel: "stages",
  said: "",
  step: 0,
  isPlaying: false,
  compared: 0,
};

/** Longer output than this loses its beginning. */
const longest = 200_000;

/** Changes the page; the view is the one at that moment. */
export type Update = (change: (view: PageView) => Partial<PageView>) => void;

/** What the page's buttons do. */
export type Desk = ReturnType<typeof openDesk>;

/** Joins the buttons to the server. */
export function openDesk(update: Update) {
  const say = (said: string) => update(() => ({ said }));
  const ask = (path: string, body: unknown): Promise<boolean> =>
    post(path, body).then(() => true, (error: Error) => {
      say(error.message);
      return false;
    });
  /** @param more a family, where it is not the cluster's first */
  const trace = async (
    from: string,
    to: string,
    more: { readonly family?: string } = {},
  ) => {
    update(() => ({
      ends: undefined,
      panel: "trace",
      said: `Tracing ${from} → ${to}`,
    }));
    if (!await ask("/trace", { from, to, ...more })) return;
    update(() => ({ step: 0, isPlaying: true, said: "Traced" }));
  };
  return {
    ...dockActs(update, ask),
    trace,
    connect: (takes: boolean) =>
      listenToServer(
        takes,
        (told) => update((view) => heard(view, told)),
        () => update(() => ({ contact: "lost" })),
      ),
    show: (panel: string) => update(() => ({ panel })),
    look: ({ node }: PagePlace) => ask("/looked", { node }),
    lookAtAll: () => ask("/looked", {}),
    choose: (place: PagePlace, { ends }: PageView) => {
      if (ends?.from !== undefined) {
        trace(endOfTrace(ends.from), endOfTrace(place));
      } else if (ends !== undefined) {
        const said = `From ${titleOfPlace(place)}: now choose where to`;
        update(() => ({ ends: { from: place }, said }));
      } else update(() => ({ chosen: place, panel: "chosen" }));
    },
    traceTwo: ({ ends }: PageView) =>
      update(() => ({
        ends: ends === undefined ? {} : undefined,
        said: ends === undefined ? "Choose where the packet starts" : "",
      })),
    traceFrom: (from: PagePlace) =>
      update(() => ({
        ends: { from },
        said: `From ${titleOfPlace(from)}: now choose where to`,
      })),
    goTo: (step: number) => update(() => ({ step, isPlaying: false })),
    play: (isPlaying: boolean) =>
      update(({ step, state }) => {
        const isAtEnd = step >= (state?.trace?.steps.length ?? 0) - 1;
        return { isPlaying, ...(isPlaying && isAtEnd ? { step: 0 } : {}) };
      }),
    arrived: () =>
      update(({ step, state, isPlaying }) => {
        const isAtEnd = step >= (state?.trace?.steps.length ?? 0) - 1;
        if (!isPlaying) return {};
        return isAtEnd ? { isPlaying: false } : { step: step + 1 };
      }),
    closeTrace: () => ask("/untrace", {}),
  };
}

/** What is done with terminals and runs. */
function dockActs(
  update: Update,
  ask: (path: string, body: unknown) => Promise<boolean>,
) {
  let count = 0;
  const openTerminal = (
    title: string,
    query: Readonly<Record<string, string>>,
  ) => {
    const key = `terminal${++count}`;
    update(({ items }) => ({
      items: [...items, { is: "terminal", key, title, query }],
      dockShown: key,
    }));
  };
  return {
    openTerminal,
    enter: (place: PagePlace) => {
      const { node, sandbox } = place;
      const query = { node, ...(sandbox === undefined ? {} : { sandbox }) };
      openTerminal(titleOfPlace(place), query);
    },
    order: ({ stage, how, node }: StageOrder) => {
      if (how === "step") {
        const query = { stage, how, ...(node === undefined ? {} : { node }) };
        openTerminal(`${stage}, step by step`, query);
      } else ask("/run", { stage, how, node });
    },
    stop: (run: number) => ask("/stop", { run: String(run) }),
    showDock: (dockShown: string) => update(() => ({ dockShown })),
    close: (item: DockItem) =>
      update(({ items }) => {
        const rest = items.filter(({ key }) => key !== item.key);
        return { items: rest, dockShown: rest.at(-1)?.key };
      }),
  };
}

function endOfTrace({ node, sandbox }: PagePlace): string {
  return sandbox === undefined ? node : `${node}/${sandbox}`;
}

/** The page after something was heard. */
function heard(view: PageView, told: PageEvent): Partial<PageView> {
  const contact = told.is === "occupied" || told.is === "taken"
    ? told.is
    : "open";
  const items = withTold(view.items, told);
  switch (told.is) {
    case "state":
      return { contact, state: told.state, said: told.state.said };
    case "exercises":
      return { contact, exercises: told.exercises };
    case "began":
      return { contact, items, dockShown: `run${told.run}` };
    case "predicted":
      return { contact, said: told.said, compared: view.compared + 1 };
    case "ended":
      return { contact, items, said: `The run ended: ${told.word}` };
    default:
      return { contact, items };
  }
}

/** The dock with what the server told of its runs. */
function withTold(
  items: readonly DockItem[],
  told: PageEvent,
): readonly DockItem[] {
  if (told.is === "began") {
    const { run, title } = told;
    // A further run of one line takes the place of one that has ended.
    const others = items.filter((item) =>
      item.is !== "run" || item.title !== title || item.ended === undefined
    );
    return [...others, { is: "run", key: `run${run}`, run, title, text: "" }];
  }
  return items.map((item): DockItem => {
    const isOwn = item.is === "run" && "run" in told && told.run === item.run;
    if (!isOwn) return item;
    if (told.is === "output") {
      return { ...item, text: (item.text + told.text).slice(-longest) };
    }
    return told.is === "ended"
      ? { ...item, ended: `${told.word} (exit code ${told.code})` }
      : item;
  });
}
