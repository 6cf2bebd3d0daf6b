/** Many nodes or paths in few words: those that differ are named, the others counted. Pure. */
import { someNames } from "../text/some_names.ts";
import type { Path } from "./matrix.ts";

/** The two ends of a path. */
type Ends = Pick<Path, "from" | "to">;

/** Names out of others: "all 29 others", "all but worker-3", or a few of them. */
function namesOf(names: readonly string[], all: readonly string[]): string {
  const [only] = all;
  if (all.length === 1 && only !== undefined) return only;
  const lacking = all.filter((name) => !names.includes(name));
  if (lacking.length === 0) return `all ${all.length} others`;
  return lacking.length <= 2 && names.length > 4
    ? `all others but ${lacking.join(", ")}`
    : someNames(names);
}

/**
 * Which paths of a kind these are, a line each: whole nodes first, then what is
 * scattered, up to `most` lines.
 *
 * @param some of `all`
 * @param all the paths of a kind
 * @returns nothing where they are all
 */
export function pathsInWords(
  some: readonly Ends[],
  all: readonly Ends[],
  most = 6,
): readonly string[] {
  if (some.length === all.length) return [];
  if (all.every(({ from, to }) => from === to)) {
    return [namesOf(some.map(({ from }) => from), all.map(({ from }) => from))];
  }
  const rectangle = rectangleOf(some, all);
  if (rectangle !== undefined) return [rectangle];
  const groups: {
    readonly at: string[];
    readonly side: Side;
    others: string;
  }[] = [];
  let left = some;
  let shown = 0;
  while (left.length > 0) {
    const { side, name } = fullest(left, some);
    const others = namesOf(
      ends(some, side, name),
      ends(all, side, name),
    );
    const alike = groups.find((one) =>
      one.side === side && one.others === others
    );
    if (alike === undefined && groups.length === most) break;
    if (alike === undefined) groups.push({ at: [name], side, others });
    else alike.at.push(name);
    const rest = left.filter((path) => path[side] !== name);
    shown += left.length - rest.length;
    left = rest;
  }
  const order = [...new Set(all.flatMap(({ from, to }) => [from, to]))];
  const lines = groups.map(({ at, side, others }) => {
    const names = someNames(
      at.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)),
    );
    return side === "from" ? `${names} → ${others}` : `${others} → ${names}`;
  });
  const more = some.length - shown;
  return more === 0 ? lines : [...lines, `… and ${more} more`];
}

type Side = keyof Ends;

/** Paths from each of some nodes to each of some nodes, where they are no row or column alone. */
function rectangleOf(
  some: readonly Ends[],
  all: readonly Ends[],
): string | undefined {
  const from = new Set(some.map(({ from }) => from));
  const to = new Set(some.map(({ to }) => to));
  if (from.size === 1 || to.size === 1) return undefined;
  const within = all.filter((path) => from.has(path.from) && to.has(path.to));
  if (within.length !== some.length) return undefined;
  const [senders, receivers] = [from, to].map((names) =>
    namesOf([...names], [...new Set(all.flatMap(({ from, to }) => [from, to]))])
  );
  const isOneSet = from.size === to.size && from.isSubsetOf(to);
  return isOneSet ? `between ${senders}` : `${senders} → ${receivers}`;
}

/** The other ends of the paths that have this name at one. */
function ends(
  paths: readonly Ends[],
  side: Side,
  name: string,
): readonly string[] {
  const other = side === "from" ? "to" : "from";
  return paths.filter((path) => path[side] === name)
    .map((path) => path[other]);
}

/** The end that most of the paths share; the sender, where two share as many. */
function fullest(
  left: readonly Ends[],
  some: readonly Ends[],
): { readonly side: Side; readonly name: string } {
  const [first] = left;
  if (first === undefined) throw new TypeError("no path is left");
  let best: { side: Side; name: string } = { side: "from", name: first.from };
  let most: readonly [number, number] = [0, 0];
  for (const side of ["from", "to"] as const) {
    const counts = countBy(left, side);
    const whole = countBy(some, side);
    for (const [name, count] of counts) {
      const of = whole.get(name) ?? 0;
      if (count < most[0] || (count === most[0] && of <= most[1])) continue;
      most = [count, of];
      best = { side, name };
    }
  }
  return best;
}

function countBy(
  paths: readonly Ends[],
  side: Side,
): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const path of paths) {
    counts.set(path[side], (counts.get(path[side]) ?? 0) + 1);
  }
  return counts;
}
