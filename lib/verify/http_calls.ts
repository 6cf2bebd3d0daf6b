/**
 * Trying paths: one command at each starting point calls all its targets. A
 * target answers with the address that it saw (see namespace_pods.ts), or
 * writes that into its log (see node_server.ts).
 */
import { cmd, type Command, ending, type Outcome } from "../exec/command.ts";
import type { Observed } from "./matrix.ts";

/**
 * How long a call may take: long enough for the kernel's first retransmission
 * after 1 s (RFC 6298, 2.1).
 */
export const timeout_ms = 1_500;

/** What a page says that does not tell whom it saw: the server's log does (see node_server.ts). */
export const pageText = "stage 09 of deno-cni listens here";

/** The address at which a target answers. */
export function url(
  address: string,
  port: number,
  page = "source.cgi",
): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return `http://${host}${port === 80 ? "" : `:${port}`}/${page}`;
}

/**
 * Calls all these, from wherever it runs. One process calls one after the other
 * as long as they answer as they should, each with a line, and another goes on
 * where the first was ended; one that is silent is called by itself meanwhile.
 * Where several are, those that are left are called at once, by a process each,
 * so that none keeps the others waiting.
 */
export function httpCalls(
  urls: readonly string[],
  limit_ms: number = timeout_ms,
): Command {
  const limits = [limit_ms / 1000, limit_ms / 3000];
  return cmd`sh -c ${script} call ${limits} ${pageText} ${urls}`;
}

/** How long httpCalls() takes where all are silent. */
export function mostTime_ms(urls: readonly string[], limit_ms: number): number {
  return limit_ms * (1 + Math.ceil(urls.length / atOnce));
}

/** So many processes may wait for an answer at one time, at each starting point. */
const atOnce = 64;

// In a line, since a dry run shows it. busybox's own `wget -T` crashes when it
// is linked statically. A line that was cut short has no end, and is left out.
const script = "limit=$1 brief=$2 page=$3 silent=0; shift 3; " +
  'call() { said=$(timeout "$limit" busybox wget -qO- "$1" 2>&1); ' +
  'printf "%s %s %s\\n" "$?" "$1" "$said"; }; ' +
  "while [ $# -gt 1 ] && [ $silent -lt 2 ]; do at=$#; " +
  'said=$(timeout "$brief" busybox wget -qO- "$@" 2>/dev/null | busybox tr "\\n" "|"); ' +
  'while [ $# -gt 0 ]; do line=${said%%"|"*}; ' +
  'case $said in *"|"*) said=${said#*"|"} ;; *) break ;; esac; ' +
  'case $line in "" | *[!][0-9a-f.:]*) [ "$line" = "$page" ] || break ;; esac; ' +
  'printf "0 %s %s\\n" "$1" "$line"; shift; done; ' +
  'if [ $# = $at ]; then silent=$((silent + 1)); call "$1" & shift; fi; ' +
  "done; at=0; " +
  'for url; do call "$url" & at=$((at + 1)); ' +
  `[ $((at % ${atOnce})) -gt 0 ] || wait; done; wait`;

/** What came of each URL that httpCalls() was given. */
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

/**
 * The address that a target answered with. A server of both families writes one
 * of IPv4 as [::ffff:10.244.1.2].
 *
 * @returns undefined where it is no address
 */
export function readSource(said: string): string | undefined {
  const source = said.replace(/^\[(.*)\]$/, "$1").replace(/^::ffff:/, "");
  return /^[0-9a-f.:]+$/.test(source) ? source : undefined;
}

/** What timeout(1) exits with: GNU's 124 or, where the signal shows through, 128 + SIGTERM. */
const timedOut = [124, 143];

/** What is said of a call whose time ran out. */
export const noAnswer = "no answer";

function readCall(code: number, said: string): Observed {
  if (timedOut.includes(code)) return { answer: "no", said: noAnswer };
  if (code === 0) {
    const source = said === pageText ? said : readSource(said);
    return source !== undefined
      ? { answer: "yes", source }
      : { answer: "no", said: `something else answered: "${said}"` };
  }
  if (code === 126 || code === 127) return { answer: "untried", why: said };
  return { answer: "no", said: said.replace(/^wget: /, "") };
}
