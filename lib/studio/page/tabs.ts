/** Tabs (WAI-ARIA Authoring Practices, "Tabs"): arrow keys choose among them. */
import { h, type PagePart } from "./ui.ts";

interface TabsProps {
  /** Begins the ids of the tabs and of their panels. */
  readonly id: string;
  readonly label: string;
  readonly tabs: readonly { readonly key: string; readonly title: string }[];
  readonly shown: string | undefined;
  readonly show: (key: string) => void;
}

/** The row of tabs. */
export function Tabs({ id, label, tabs, shown, show }: TabsProps): PagePart {
  const choose = (event: KeyboardEvent) => {
    const at = tabs.findIndex(({ key }) => key === shown);
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const next = by === undefined
      ? undefined
      : tabs[(at + by + tabs.length) % tabs.length];
    if (next === undefined) return;
    event.preventDefault();
    show(next.key);
    document.getElementById(`${id}-tab-${next.key}`)?.focus();
  };
  return h(
    "div",
    { role: "tablist", "aria-label": label, onKeyDown: choose },
    ...tabs.map(({ key, title }) =>
      h("button", {
        key,
        type: "button",
        role: "tab",
        id: `${id}-tab-${key}`,
        "aria-selected": key === shown,
        "aria-controls": `${id}-panel-${key}`,
        tabIndex: key === shown ? 0 : -1,
        onClick: () => show(key),
      }, title)
    ),
  );
}

/** What a panel needs to belong to its tab. */
export function panelOf(id: string, key: string, isShown: boolean) {
  return {
    role: "tabpanel" as const,
    id: `${id}-panel-${key}`,
    "aria-labelledby": `${id}-tab-${key}`,
    hidden: !isShown,
  };
}
