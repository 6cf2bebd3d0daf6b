/**
 * Trying paths: one command at each starting point calls all its targets at
 * once. A target answers with the address that it saw (see lib/pods.ts).
 */
import { cmd, type Command, ending, type Outcome } from "../exec/command.ts";
import type { Observed } from "./matrix.ts";

/** How long a call may take: long enough for the kernel's first retransmission after 1 s (RFC 6298, 2.1). */
export const timeout_ms = 1_500;

/** The address at which a target answers. */
export function url(address: string, port: number): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return `http://${host}${port === 80 ? "" : `:${port}`}/source.cgi`;
}

/** Calls all these at once, from wherever it runs. */
export function httpCalls(
  urls: readonly string[],
  limit_ms: number = timeout_ms,
): Command {
  // busybox's own `wget -T` crashes when it is linked statically.
  const script = "limit=$1; shift; for url; do { " +
    'said=$(timeout "$limit" busybox wget -qO- "$url" 2>&1); ' +
    'printf "%s %s %s\\n" "$?" "$url" "$said"; } & done; wait';
  return cmd`sh -c ${script} call ${limit_ms / 1000} ${urls}`;
}

/** What came of each URL that call() was given. */
export function readCalls(
  outcome: Outcome,
  urls: readonly string[],
): ReadonlyMap<string, Observed> {
  const lines = new Map<string, [code: number, said: string]>();
  for (const line of outcome.stdout.split("\n")) {
    const [, code, url, said] = /^(\d+) (\S+) ?(.*)$/.exec(line) ?? [];
    if (url === undefined) continue;
    lines.set(url, [Number(code), said ?? ""]);
  }
  return new Map(urls.map((url) => {
    const [code, said] = lines.get(url) ?? [];
    if (code === undefined || said === undefined) {
      const why = outcome.stderr.trim() || ending(outcome);
      return [url, { answer: "untried", why }];
    }
    return [url, readCall(code, said)];
  }));
}

/** The address that a target answered with; undefined where it is none. A server of both families writes one of IPv4 as [::ffff:10.244.1.2]. */
export function readSource(said: string): string | undefined {
  const source = said.replace(/^\[(.*)\]$/, "$1").replace(/^::ffff:/, "");
  return /^[0-9a-f.:]+$/.test(source) ? source : undefined;
}

/** What timeout(1) exits with: GNU's 124 or, where the signal shows through, 128 + SIGTERM. */
const timedOut = [124, 143];

function readCall(code: number, said: string): Observed {
  if (timedOut.includes(code)) return { answer: "no", said: "no answer" };
  if (code === 0) {
    const source = readSource(said);
    return source !== undefined
      ? { answer: "yes", source }
      : { answer: "no", said: `something else answered: "${said}"` };
  }
  if (code === 126 || code === 127) return { answer: "untried", why: said };
  return { answer: "no", said: said.replace(/^wget: /, "") };
}
