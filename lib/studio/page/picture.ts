/** The picture: to move and to enlarge, with a button on each machine and pod. */
import type { PagePlace, PageState, TraceView } from "../protocol.ts";
import { h, type PagePart, useEffect, useRef } from "./ui.ts";
import { type PictureWindow, share, useWindow } from "./picture_window.ts";
import { Walk } from "./walk.ts";

interface PictureProps {
  readonly picture: PageState["picture"];
  /** What else stands above it. */
  readonly buttons: readonly (PagePart | null)[];
  readonly chosen: PagePlace | undefined;
  readonly trace: TraceView | undefined;
  readonly step: number;
  readonly arrived: () => void;
  readonly choose: (place: PagePlace) => void;
  readonly look: (place: PagePlace) => void;
}

/** The same name for the same place, also in the picture after. */
export function titleOfPlace(
  { node, pod }: Pick<PagePlace, "node" | "pod">,
): string {
  return pod === undefined ? node : `${node}/${pod}`;
}

/** Browsers that know Trusted Types want a policy for text that becomes elements. */
const types: {
  createPolicy(
    name: string,
    rules: { createHTML: (text: string) => string },
  ): { createHTML: (text: string) => string };
} | undefined = Reflect.get(globalThis, "trustedTypes");
const policy = types?.createPolicy("picture", { createHTML: (text) => text });

/** The drawing itself, apart from the page's styles. It comes from this page's own server. */
function Drawing({ svg }: { readonly svg: string }): PagePart {
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (host.current === null) return;
    const root = host.current.shadowRoot ??
      host.current.attachShadow({ mode: "open" });
    const text = policy?.createHTML(svg) ?? svg;
    const drawn = new DOMParser().parseFromString(text, "image/svg+xml");
    root.replaceChildren(document.importNode(drawn.documentElement, true));
  }, [svg]);
  return h("div", { id: "picture", ref: host });
}

/** The picture in its window, with the buttons that move it. */
export function Picture(props: PictureProps): PagePart {
  const { picture, trace, step } = props;
  const frame = useRef<HTMLDivElement>(null);
  const window = useWindow(frame, picture);
  const point = trace?.steps[step]?.points.at(-1);
  useEffect(() => {
    if (point === undefined) return;
    const [x, y] = point;
    window.reveal({ x: x - 40, y: y - 40, width: 80, height: 80 });
  }, [point?.join()]);
  const height = Math.ceil(picture.height * window.view.scale);
  return h(
    "section",
    { class: "picture", "aria-labelledby": "picture-heading" },
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "picture-heading" }, "Picture"),
      ...props.buttons,
      button("Larger", "+", () => window.zoom(1.25)),
      button("Smaller", "−", () => window.zoom(0.8)),
      button("Whole picture", "Whole picture", window.fit),
    ),
    h(
      "div",
      {
        class: "frame",
        ref: frame,
        tabIndex: 0,
        role: "region",
        "aria-label":
          "The cluster. Arrow keys move it, plus and minus zoom, 0 shows all",
        style: { height: `min(${share * 100}vh, ${height}px)` },
        onKeyDown: keys(window),
        onWheel: window.wheel,
        onPointerDown: (event: PointerEvent) => drag(event, window.move),
      },
      canvas(props, window),
    ),
  );
}

function canvas(
  props: PictureProps,
  { view: { x, y, scale }, reveal }: PictureWindow,
): PagePart {
  const { picture: { svg, width, height, places }, trace } = props;
  return h(
    "div",
    {
      class: "canvas",
      style: {
        width: `${width}px`,
        height: `${height}px`,
        transform: `translate(${x}px, ${y}px) scale(${scale})`,
      },
    },
    h(Drawing, { svg }),
    ...places.map((place) => placeButton(place, props, () => reveal(place))),
    trace === undefined ? null : h(Walk, {
      ...{ trace, width, height },
      step: props.step,
      arrived: props.arrived,
    }),
  );
}

function button(label: string, text: string, act: () => void): PagePart {
  return h("button", {
    type: "button",
    onClick: act,
    title: label,
    ...(text === label ? {} : { "aria-label": label }),
  }, text);
}

function placeButton(
  place: PagePlace,
  { chosen, choose, look }: PictureProps,
  reveal: () => void,
): PagePart {
  const name = titleOfPlace(place);
  const isChosen = chosen !== undefined && titleOfPlace(chosen) === name;
  return h("button", {
    key: name,
    type: "button",
    class: `place${place.pod === undefined ? "" : " pod"}${
      place.isNew ? " fresh" : ""
    }`,
    "aria-label": place.isNew ? `${name}, changed` : name,
    "aria-pressed": isChosen,
    title: name,
    onFocus: reveal,
    style: {
      left: `${place.x}px`,
      top: `${place.y}px`,
      width: `${place.width}px`,
      height: `${place.height}px`,
    },
    onClick: () => {
      choose(place);
      if (place.isNew) look(place);
    },
  });
}

/** How far an arrow key moves the picture, in pixels. */
const stride = 60;

function keys(
  { zoom, move, fit }: PictureWindow,
): (event: KeyboardEvent) => void {
  const acts: Readonly<Record<string, () => void>> = {
    "ArrowLeft": () => move(stride, 0),
    "ArrowRight": () => move(-stride, 0),
    "ArrowUp": () => move(0, stride),
    "ArrowDown": () => move(0, -stride),
    "+": () => zoom(1.25),
    "=": () => zoom(1.25),
    "-": () => zoom(0.8),
    "0": fit,
  };
  return (event) => {
    const act = acts[event.key];
    if (act === undefined || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    act();
  };
}

/** Follows a pointer that is held down beside the buttons. */
function drag(
  event: PointerEvent,
  move: (x: number, y: number) => void,
): void {
  if (!(event.currentTarget instanceof HTMLElement) || event.button !== 0) {
    return;
  }
  const frame = event.currentTarget;
  const last = { x: event.clientX, y: event.clientY };
  const start = { ...last };
  let moved = false;
  const follow = ({ clientX, clientY, pointerId }: PointerEvent) => {
    // A click that trembles is a click.
    moved ||= Math.hypot(clientX - start.x, clientY - start.y) > 5;
    if (!moved) return;
    if (!frame.hasPointerCapture(pointerId)) frame.setPointerCapture(pointerId);
    move(clientX - last.x, clientY - last.y);
    Object.assign(last, { x: clientX, y: clientY });
  };
  const end = () => {
    frame.removeEventListener("pointermove", follow);
    frame.removeEventListener("pointerup", end);
    frame.removeEventListener("pointercancel", end);
  };
  frame.addEventListener("pointermove", follow);
  frame.addEventListener("pointerup", end);
  frame.addEventListener("pointercancel", end);
}
