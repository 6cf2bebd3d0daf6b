/** The terminal that stdout is, if it is one. */

/** Columns of the terminal, at least 80; 80 where stdout is none. */
export function terminalWidth(): number {
  return Math.max(
    80,
    Deno.stdout.isTerminal() ? Deno.consoleSize().columns : 0,
  );
}

/** Whether stdout takes colour: a terminal, without NO_COLOR (https://no-color.org). */
export function takesColour(): boolean {
  return Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");
}
