/** Paths that are slow and not broken: they are told as slow, and nothing is blamed for them. */
import { cmd, type RunOptions, succeeded } from "../exec/command.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { isAsExpected, type Path, type Tried } from "./matrix.ts";
import { noAnswer } from "./http_calls.ts";
import type { Site } from "./situation.ts";

/** How busy a machine is. */
interface Load {
  /** Processes that wanted to run at once, as a mean of the last minute (proc_loadavg(5)). */
  readonly load: number;
  readonly cpus: number;
}

/** Above so many processes a CPU, a call without an answer says nothing of the network. */
const busyAbove = 10;

/** Longest time that the second try of a call has. */
const longest_ms = 30_000;

/**
 * How long a call may take when it is tried again: several times what the first
 * try took as a whole, which is more than its limit where a machine is slow to
 * start programs.
 *
 * @param limit_ms of each call in the first try
 * @param took_ms the first try, all calls together
 */
export function secondLimit_ms(limit_ms: number, took_ms: number): number {
  return Math.min(Math.max(limit_ms, took_ms) * 3, longest_ms);
}

/** Reads what `cat /proc/loadavg; nproc` printed. */
export function readLoad(printed: string): Load | undefined {
  const [, load, cpus] = /^([\d.]+) .*\n(\d+)\s*$/.exec(printed) ?? [];
  if (load === undefined || cpus === undefined) return undefined;
  return { load: Number(load), cpus: Number(cpus) };
}

/** The load of the machines at the ends of paths that were slow or gave no answer, by node. */
export async function loadsOf(
  tried: readonly Tried[],
  sites: ReadonlyMap<string, Site>,
  options: RunOptions,
): Promise<ReadonlyMap<string, Load>> {
  const ends = new Set(
    tried.filter((one) => isSlow(one) || isSilent(one))
      .flatMap(({ path: { from, to } }) => [from, to]),
  );
  const found = await Promise.all(
    [...ends].map(async (name): Promise<readonly [string, Load][]> => {
      const outcome = await sites.get(name)?.runner
        .run(cmd`sh -c ${"cat /proc/loadavg; nproc"}`, options);
      if (outcome === undefined || !succeeded(outcome)) return [];
      const load = readLoad(outcome.stdout);
      return load === undefined ? [] : [[name, load]];
    }),
  );
  return new Map(found.flat());
}

/** What there is to know of paths that answered, but not at the first try. */
export function slowRemarks(
  tried: readonly Tried[],
  loads: ReadonlyMap<string, Load>,
): readonly string[] {
  const slow = tried.filter(isSlow);
  const [first] = slow;
  if (first === undefined) return [];
  const ways = [
    ...new Set(slow.map(({ path: { from, to } }) => `${from} → ${to}`)),
  ];
  const shown = ways.slice(0, 4).join(", ") +
    (ways.length > 4 ? ` and ${ways.length - 4} more` : "");
  const seconds = Math.max(...slow.map(({ slow_ms = 0 }) => slow_ms)) / 1000;
  const busy = [...loads].filter(([, load]) => isBusy(load))
    .map(([name, load]) => `${name} ${words(load)}`);
  return [
    `Slow, not broken: ${slow.length} of ${tried.length} paths answered only ` +
    `when they were given ${seconds.toFixed(0)} s (${shown})` +
    (busy.length === 0 ? "" : `; the load is ${busy.join(", ")}`),
  ];
}

/**
 * The causes, where a busy machine may be all there is: a path that is silent,
 * and for which no fault of the network was found, is put down to the load.
 */
export function blameLoad(
  causes: ReadonlyMap<Path, Cause>,
  tried: readonly Tried[],
  loads: ReadonlyMap<string, Load>,
): ReadonlyMap<Path, Cause> {
  const paths = new Map(causes);
  for (const one of tried) {
    const cause = paths.get(one.path);
    if (cause?.kind !== "unknown" || !isSilent(one)) continue;
    const { from, to } = one.path;
    const on = [from, to].find((name) => {
      const load = loads.get(name);
      return load !== undefined && isBusy(load);
    });
    const load = loads.get(on ?? "");
    if (on === undefined || load === undefined) continue;
    paths.set(one.path, {
      kind: "unknown",
      on,
      what: `${on} is so busy (load ${words(load)}) that nothing can be said ` +
        "of paths that have no answer in time",
      evidence: [{
        where: on,
        command: "cat /proc/loadavg; nproc",
        printed: `${load.load} ${load.cpus}`,
      }],
      remedies: [{ stage: "09-verify" }],
    });
  }
  return paths;
}

function isSlow({ slow_ms }: Tried): boolean {
  return slow_ms !== undefined;
}

/** Whether its time ran out; a call that is refused is told so at once. */
function isSilent(one: Tried): boolean {
  const { observed } = one;
  return observed.answer === "no" && observed.said === noAnswer &&
    !isAsExpected(one);
}

function isBusy({ load, cpus }: Load): boolean {
  return load > cpus * busyAbove;
}

function words({ load, cpus }: Load): string {
  return `${load} on ${cpus} ${cpus === 1 ? "CPU" : "CPUs"}`;
}
