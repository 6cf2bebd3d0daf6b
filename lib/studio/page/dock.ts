/** What runs: the output of buttons, and terminals, a tab each. */
import { panelOf, Tabs } from "./tabs.ts";
import { TerminalView } from "./terminal.ts";
import { h, type PagePart, useEffect, useRef } from "./ui.ts";

/** Something in the dock. */
export type DockItem =
  | {
    readonly is: "run";
    readonly key: string;
    readonly run: number;
    readonly title: string;
    readonly text: string;
    /** How it ended; absent while it runs. */
    readonly ended?: string;
  }
  | {
    readonly is: "terminal";
    readonly key: string;
    readonly title: string;
    readonly query: Readonly<Record<string, string>>;
  };

interface DockProps {
  readonly items: readonly DockItem[];
  readonly shown: string | undefined;
  readonly show: (key: string) => void;
  readonly close: (item: DockItem) => void;
  readonly stop: (run: number) => void;
}

/** All that runs. */
export function Dock({ items, shown, show, close, stop }: DockProps): PagePart {
  return h(
    "section",
    { id: "dock", "aria-labelledby": "dock-heading" },
    h("h2", { id: "dock-heading" }, "Terminals and output"),
    items.length === 0
      ? h(
        "p",
        { class: "quiet" },
        "Nothing yet: choose a node or a pod and press Terminal, or run a stage.",
      )
      : h(Tabs, {
        id: "dock",
        label: "Terminals and output",
        tabs: items.map(({ key, title }) => ({ key, title })),
        shown,
        show,
      }),
    ...items.map((item) =>
      h(
        "div",
        { key: item.key, ...panelOf("dock", item.key, item.key === shown) },
        h(
          "div",
          { class: "bar" },
          item.is === "run" && item.ended === undefined
            ? h("button", {
              type: "button",
              onClick: () => stop(item.run),
            }, "Stop")
            : h("button", {
              type: "button",
              onClick: () => close(item),
            }, `Close ${item.title}`),
          item.is === "terminal"
            ? h("span", { class: "quiet" }, "F6 leaves the terminal")
            : h("span", { class: "quiet" }, item.ended ?? "running"),
        ),
        item.is === "run"
          ? h(Output, { text: item.text, title: item.title })
          : h(
            TerminalView,
            {
              title: item.title,
              query: item.query,
              isShown: item.key === shown,
            },
          ),
      )
    ),
  );
}

/** What a run prints; its end is in sight. */
function Output(
  { text, title }: { readonly text: string; readonly title: string },
): PagePart {
  const place = useRef<HTMLPreElement>(null);
  useEffect(() => {
    if (place.current !== null) place.current.scrollTop = 1e9;
  }, [text]);
  return h("pre", {
    class: "output",
    ref: place,
    tabIndex: 0,
    role: "log",
    "aria-label": title,
  }, text);
}
