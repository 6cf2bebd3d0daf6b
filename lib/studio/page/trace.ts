/** A trace: each hop and what decided there, with a slider and a button that plays it. */
import type { TraceView, WalkStep } from "../protocol.ts";
import { h, type PagePart, useEffect, useRef } from "./ui.ts";

interface TraceProps {
  readonly trace: TraceView | undefined;
  readonly step: number;
  readonly isPlaying: boolean;
  /** Goes to a step; the packet stays there. */
  readonly go: (step: number) => void;
  readonly play: (plays: boolean) => void;
  readonly close: () => void;
}

/** The hops of a trace. */
export function Trace(
  { trace, step, isPlaying, go, play, close }: TraceProps,
): PagePart {
  const current = useRef<HTMLLIElement>(null);
  useEffect(() => {
    const hop = current.current;
    const list = hop?.parentElement;
    // The list alone: the page stays where the picture is seen.
    if (list) list.scrollTop = hop.offsetTop - list.clientHeight / 2;
  }, [step]);
  if (trace === undefined) {
    return h(
      "p",
      { class: "quiet" },
      'Press "Trace two places" and choose two in the picture: a real packet ' +
        "goes from the first to the second, and each hop that it made stands here.",
    );
  }
  const { steps } = trace;
  const now = steps[step];
  return h(
    "section",
    { "aria-labelledby": "trace-heading", id: "trace" },
    h(
      "div",
      { class: "bar" },
      h("h2", { id: "trace-heading" }, trace.title),
      h("button", { type: "button", onClick: close }, "Close"),
    ),
    h(
      "p",
      { class: trace.isWell ? "is-good" : "is-bad" },
      `${trace.isWell ? "✓" : "✗"} ${trace.verdict}`,
    ),
    h(
      "div",
      { class: "bar" },
      h("button", {
        type: "button",
        onClick: () => play(!isPlaying),
      }, isPlaying ? "Pause" : "Play"),
      h("input", {
        type: "range",
        min: 0,
        max: steps.length - 1,
        value: step,
        "aria-label": "Hop",
        "aria-valuetext": now === undefined ? "" : inWords(now, step),
        onInput: (event: Event) => {
          if (event.target instanceof HTMLInputElement) {
            go(Number(event.target.value));
          }
        },
      }),
    ),
    hopList(steps, step, current, go),
    h(
      "details",
      {},
      h("summary", {}, "As make trace prints it"),
      h("pre", { tabIndex: 0 }, trace.text),
    ),
  );
}

function hopList(
  steps: readonly WalkStep[],
  step: number,
  current: { current: HTMLLIElement | null },
  go: (step: number) => void,
): PagePart {
  return h(
    "ol",
    { class: "hops" },
    ...steps.map((one, at) =>
      h(
        "li",
        {
          key: at,
          ...(at === step ? { ref: current, "aria-current": "step" } : {}),
          class: `${one.direction} ${at > step ? "ahead" : ""}`,
        },
        h("button", {
          type: "button",
          class: "link",
          onClick: () => go(at),
        }, `${one.direction}: ${one.where}, ${one.outcome}`),
        h("div", { class: "addresses" }, one.addresses),
        ...one.by.map((text) => h("div", { class: "by" }, text)),
      )
    ),
  );
}

function inWords({ direction, where, outcome }: WalkStep, at: number): string {
  return `${at + 1}, ${direction}, ${where}, ${outcome}`;
}
