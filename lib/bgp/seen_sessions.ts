/** What bird says of its BGP sessions. Pure. */

/** A session as bird tells it. */
export interface SeenSession {
  readonly name: string;
  /** Established, or how far it is: Idle, Connect, Active, OpenSent, OpenConfirm. */
  readonly state: string;
  /** Why, where bird has a word for it. */
  readonly error?: string;
}

/** Reads `birdc show protocols all`. */
export function readSessions(text: string): readonly SeenSession[] {
  const found: { name: string; state: string; error?: string }[] = [];
  for (const line of text.split("\n")) {
    const head = /^(\S+) +BGP +\S+ +(\S+) /.exec(line);
    if (head !== null) {
      found.push({ name: head[1] ?? "", state: head[2] ?? "" });
    } else if (/^\S/.test(line)) continue;
    const last = found.at(-1);
    const state = /^ +BGP state: +(\S+)/.exec(line)?.[1];
    const error = /^ +Last error: +(.*\S)/.exec(line)?.[1];
    if (last !== undefined && state !== undefined) last.state = state;
    if (last !== undefined && error !== undefined) last.error = error;
  }
  return found;
}
