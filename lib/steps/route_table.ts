/** A node's routes, asked for once for all steps that look for theirs among them. */
import type { Family } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import { cmd, type Command, type Outcome } from "../exec/command.ts";

/** A route as `ip -j route show` tells it, in what is asked here. */
interface Route {
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
}

/** How a packet would go, as `ip -j route get` tells it. */
interface Way {
  readonly type?: string;
  readonly gateway?: string;
  /** A next hop of the other family. */
  readonly via?: { readonly host?: string };
}

const tables: Readonly<Record<Family, Command>> = {
  4: cmd`ip -4 -j route show`,
  6: cmd`ip -6 -j route show`,
};

/** Asks for all routes; always the same command, so that it is asked once. */
export function routesQuestion(family: Family): Command {
  return tables[family];
}

// A way that the kernel does not know ends neither the others nor the shell.
const waysScript =
  'routes=$(ip "$1" -j route show) || exit; printf "%s\\n" "$routes"; ' +
  'family=$1; shift; printf "route get %s\\n" "$@" | ' +
  'ip "$family" -j -force -batch -; exit 0';

/** Asks for all routes, and for the ways to these addresses. */
export function waysQuestion(
  family: Family,
  addresses: readonly string[],
): Command {
  return cmd`sh -c ${waysScript} ask -${family} ${addresses}`;
}

const read = new WeakMap<Outcome, ReadonlyMap<string, Route> | undefined>();

/**
 * The routes by their destinations; of several to one, the first.
 *
 * @param outcome of routesQuestion() or waysQuestion()
 * @returns undefined where it is no such list
 */
export function routesByDestination(
  outcome: Outcome,
): ReadonlyMap<string, Route> | undefined {
  // Each of a thousand steps reads the same thousand routes.
  if (!read.has(outcome)) read.set(outcome, parseRoutes(outcome));
  return read.get(outcome);
}

function parseRoutes(
  { code, stdout }: Outcome,
): ReadonlyMap<string, Route> | undefined {
  if (code !== 0) return undefined;
  const [line = ""] = stdout.split("\n", 1);
  const routes = parseIpList<Route & { readonly dst?: string }>(line);
  return routes && new Map(
    routes.toReversed().flatMap((route) =>
      route.dst === undefined ? [] : [[route.dst, route]]
    ),
  );
}

/**
 * The way to one of the addresses.
 *
 * @param outcome of waysQuestion()
 * @param at which of its addresses
 * @returns a text where there is none: what the kernel says
 */
export function wayAmong(
  { stdout, stderr }: Outcome,
  at: number,
): Way | string | undefined {
  const refusals = new Map(
    [...stderr.matchAll(/^(.*)\nCommand failed -:(\d+)$/gm)]
      .map(([, said = "", number]) => [Number(number) - 1, said]),
  );
  const refusal = refusals.get(at);
  if (refusal !== undefined) return refusal;
  const before = [...refusals.keys()].filter((one) => one < at).length;
  const line = stdout.split("\n")[1 + at - before];
  return line ? parseIpList<Way>(line)?.[0] : undefined;
}
