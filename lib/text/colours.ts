/** What sets a terminal's colours (ECMA-48, 8.3.117: "SGR"). Pure. */

/** A text without them. */
export function withoutColours(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[\d;]*m/g, "");
}
