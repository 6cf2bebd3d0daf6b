/** The window through which the picture is seen: where it lies there, and how large. */
import { useEffect, useState } from "./ui.ts";

/** Where the picture lies in its window, and its scale. */
interface View {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

/** A part of the picture. */
interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A window, and what moves the picture in it. */
export interface PictureWindow {
  readonly view: View;
  readonly zoom: (by: number) => void;
  readonly move: (x: number, y: number) => void;
  /** Shows all of the picture. */
  readonly fit: () => void;
  /** Moves the picture as little as shows a part of it. */
  readonly reveal: (area: Area) => void;
  readonly wheel: (event: WheelEvent) => void;
}

/** At first no smaller than this: below it words cannot be read. */
const readable = 0.6;
const smallest = 0.2;
const largest = 3;

/** The part of the browser's height that the picture may take. */
export const share = 0.58;

/** @param picture its size */
export function useWindow(
  frame: { readonly current: HTMLElement | null },
  { width, height }: Pick<Area, "width" | "height">,
): PictureWindow {
  /** As long as it was not moved by hand, the picture follows the window's size. */
  const [follows, setFollows] = useState<"width" | "both" | undefined>("width");
  const [view, setView] = useState<View>({ x: 0, y: 0, scale: 1 });
  useEffect(() => {
    const element = frame.current;
    if (element === null || follows === undefined) return;
    const follow = () => {
      const across = Math.min(1, element.clientWidth / width);
      // All of it, or all of its width as far as it can be read.
      const scale = follows === "both"
        ? Math.min(across, innerHeight * share / height)
        : Math.max(readable, across);
      setView({ x: 0, y: 0, scale });
    };
    follow();
    const watcher = new ResizeObserver(follow);
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [follows, width, height]);
  const change = (next: (view: View) => View) => {
    setFollows(undefined);
    setView(next);
  };
  return {
    view,
    zoom: (by) => {
      const { clientWidth = 0, clientHeight = 0 } = frame.current ?? {};
      const middle = { x: clientWidth / 2, y: clientHeight / 2 };
      change((view) => zoomed(view, by, middle));
    },
    move: (x, y) =>
      change((view) => ({ ...view, x: view.x + x, y: view.y + y })),
    fit: () => setFollows("both"),
    reveal: (area) => {
      const element = frame.current;
      if (element !== null) setView((view) => revealed(view, area, element));
    },
    wheel: (event) => {
      // Without Ctrl it is the page that is turned.
      if (!event.ctrlKey) return;
      event.preventDefault();
      const box = frame.current?.getBoundingClientRect();
      const x = event.clientX - (box?.x ?? 0);
      const y = event.clientY - (box?.y ?? 0);
      const by = event.deltaY < 0 ? 1.1 : 1 / 1.1;
      change((view) => zoomed(view, by, { x, y }));
    },
  };
}

/** @param at what stays where it is */
function zoomed(view: View, by: number, at: { x: number; y: number }): View {
  const scale = Math.min(largest, Math.max(smallest, view.scale * by));
  const ratio = scale / view.scale;
  return {
    scale,
    x: at.x - (at.x - view.x) * ratio,
    y: at.y - (at.y - view.y) * ratio,
  };
}

function revealed(
  view: View,
  { x, y, width, height }: Area,
  { clientWidth, clientHeight }: HTMLElement,
): View {
  const { scale } = view;
  const shift = (start: number, length: number, room: number) =>
    start < 0 || length > room ? -start : Math.min(0, room - start - length);
  const dx = shift(view.x + x * scale, width * scale, clientWidth);
  const dy = shift(view.y + y * scale, height * scale, clientHeight);
  return dx === 0 && dy === 0
    ? view
    : { scale, x: view.x + dx, y: view.y + dy };
}
