/** A traced packet that walks over the picture. */
import type { TraceView, WalkStep } from "../protocol.ts";
import { h, type PagePart, useEffect, useState } from "./ui.ts";

type Point = WalkStep["points"][number];

interface WalkProps {
  readonly trace: TraceView;
  /** Where the packet is. */
  readonly step: number;
  readonly width: number;
  readonly height: number;
  /** Called when it has got there. */
  readonly arrived: () => void;
}

/** Whether things may move. */
const still = matchMedia("(prefers-reduced-motion: reduce)");

const pace_ms = 450;

/** The way up to where the packet is, and the packet. */
export function Walk(
  { trace, step, width, height, arrived }: WalkProps,
): PagePart {
  const { steps } = trace;
  const now = steps[step];
  const points = now?.points ?? [];
  const [at, setAt] = useState<Point | undefined>(points.at(-1));
  useEffect(() => {
    if (still.matches || points.length < 2) {
      setAt(points.at(-1) ?? lastPoint(steps, step));
      const timer = setTimeout(arrived, pace_ms);
      return () => clearTimeout(timer);
    }
    const began_ms = performance.now();
    const move = () => {
      const part = Math.min(1, (performance.now() - began_ms) / pace_ms);
      setAt(along(points, part));
      if (part < 1) frame = requestAnimationFrame(move);
      else arrived();
    };
    let frame = requestAnimationFrame(move);
    return () => cancelAnimationFrame(frame);
  }, [step, points.join(" ")]);
  return h(
    "svg",
    {
      class: "walk",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      "aria-hidden": "true",
    },
    ...(["there", "back"] as const).map((direction) =>
      h("polyline", {
        class: `walked ${direction}`,
        points: pointsText(steps.slice(0, step + 1), direction),
      })
    ),
    at === undefined ? null : h("circle", {
      class: `packet ${now?.direction} ${now?.outcome}`,
      cx: at[0],
      cy: at[1],
      r: 11,
    }),
  );
}

/** Both directions side by side where they share a line. */
function pointsText(
  steps: readonly WalkStep[],
  direction: WalkStep["direction"],
): string {
  const aside = direction === "there" ? -3 : 3;
  return steps.filter((step) => step.direction === direction)
    .flatMap(({ points }) => points)
    .map(([x, y]) => `${x + aside},${y + aside}`).join(" ");
}

function lastPoint(
  steps: readonly WalkStep[],
  step: number,
): Point | undefined {
  return steps.slice(0, step + 1).findLast(({ points }) => points.length > 0)
    ?.points.at(-1);
}

/** The point of a way at a part of its length. */
function along(points: readonly Point[], part: number): Point | undefined {
  const lengths = points.slice(1).map(([x, y], at) => {
    const [x0, y0] = points[at] ?? [x, y];
    return Math.hypot(x - x0, y - y0);
  });
  let rest = lengths.reduce((sum, length) => sum + length, 0) * part;
  for (const [at, length] of lengths.entries()) {
    const [from, to] = [points[at], points[at + 1]];
    if (from === undefined || to === undefined) break;
    if (rest <= length && length > 0) {
      const share = rest / length;
      return [
        from[0] + (to[0] - from[0]) * share,
        from[1] + (to[1] - from[1]) * share,
      ];
    }
    rest -= length;
  }
  return points.at(-1);
}
