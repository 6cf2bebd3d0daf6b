/**
 * What a call has to say beside its answer, for stderr. It is kept until the
 * call is over: a process that serves many says it to the call's own caller.
 */

let lines: string[] = [];

/** Says something on stderr. */
export function complain(line: string): void {
  lines.push(`deno-cni: ${line}`);
}

/** Takes what was said since the last time, a line each. */
export function complaints(): string[] {
  const said = lines;
  lines = [];
  return said;
}
