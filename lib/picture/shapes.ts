/** The shapes of a picture, each with the class by which the style sheet knows it. Pure. */
import { type Box, character } from "./layout.ts";
import { element, escaped } from "./xml.ts";

/** A box with round corners. */
export function rect({ x, y, width, height }: Box, more: string): string {
  return element("rect", { x, y, width, height, rx: 6, class: more });
}

/** A line between two points. */
export function line(
  from: readonly [number, number],
  to: readonly [number, number],
  more: string,
): string {
  const [x1, y1] = from;
  const [x2, y2] = to;
  return element("line", { x1, y1, x2, y2, class: more });
}

/** A line of text, by the beginning of its base line. */
export function textAt(x: number, y: number, text: string, more = ""): string {
  return element(
    "text",
    { x, y, ...(more === "" ? {} : { class: more }) },
    escaped(text),
  );
}

/** The same on a ground of its own: what lies below it does not strike it through. */
export function labelAt(x: number, y: number, text: string, more = ""): string {
  const width = Math.ceil([...text].length * character) + 6;
  const ground = { x: x - 3, y: y - 12, width, height: 16 };
  return rect(ground, "paper") + "\n" + textAt(x, y, text, more);
}
