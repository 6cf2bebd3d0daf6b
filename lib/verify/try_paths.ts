/** Stage 09's attempts: what is called from where, and what came of it. */
import { expect } from "./expected.ts";
import {
  type Addresses,
  endsAtPod,
  isAsExpected,
  type Observed,
  outside,
  type Path,
  sourcesOf,
  startsAtPod,
  type Tried,
} from "./matrix.ts";
import { familiesOf } from "../cluster/address_family.ts";
import {
  httpCalls,
  mostTime_ms,
  pageText,
  readCalls,
  timeout_ms,
  url,
} from "./http_calls.ts";
import {
  hasLoggedServers,
  pageOf,
  readServerLog,
  serverLog,
} from "./node_server.ts";
import { type Turns, turnsOf } from "../cluster/at_once.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { RunOptions } from "../exec/command.ts";
import { tellingIfSlow } from "../node/heartbeat.ts";
import { execOn } from "./kubernetes_pods.ts";
import { caller, nodePort, type PodName, podOn } from "./namespace_pods.ts";
import type { AddResult } from "../cni/runtime.ts";
import { type Site, type Situation } from "./situation.ts";
import { secondLimit_ms } from "./slowness.ts";
import type { Runner } from "../node/node.ts";

/** All that paths begin and end at. */
export interface Known extends Addresses {
  /** By node: the address of the pod that answers. */
  readonly servers: ReadonlyMap<string, string>;
  /** By node: what ADD gave each of its pods. */
  readonly results: ReadonlyMap<string, ReadonlyMap<PodName, AddResult>>;
}

/** Where commands run in a worker's pod that calls. */
export function callerOn(
  { node, runner }: Site,
  { kubernetes }: Situation,
): Runner {
  return kubernetes === undefined
    ? podOn(runner, caller)
    : execOn(kubernetes.controlPlane, caller, node.name);
}

/** A place from which calls are made, and what it calls. */
interface Start {
  readonly runner: Runner;
  readonly calls: readonly { readonly path: Path; readonly url: string }[];
}

function urlOf(
  path: Path,
  { cluster }: Situation,
  known: Known,
): string | undefined {
  if (endsAtPod(path)) {
    const address = known.servers.get(path.to);
    return address === undefined ? undefined : url(address, 80);
  }
  const page = hasLoggedServers(cluster) ? pageOf(path) : undefined;
  return nodeUrl(path.to, cluster, known, page);
}

/** Where a node or the outside host answers. */
export function nodeUrl(
  name: string,
  { outside: { address, urls } }: Cluster,
  known: Addresses,
  page?: string,
): string {
  if (name !== outside) return url(known.nodes.get(name) ?? "", nodePort, page);
  return urls?.[0] ?? url(address, nodePort);
}

/** Gathers paths by where they start; those without both ends are left out. */
export function startsOf(
  paths: readonly Path[],
  situation: Situation,
  known: Known,
): readonly Start[] {
  const starts = new Map<
    string,
    { runner: Runner; calls: Start["calls"][number][] }
  >();
  for (const path of paths) {
    const site = situation.sites.get(path.from);
    const target = urlOf(path, situation, known);
    if (site === undefined || target === undefined) continue;
    const isPod = startsAtPod(path);
    if (isPod && !known.callers.has(path.from)) continue;
    const place = `${isPod ? "pod" : "node"} ${path.from}`;
    const start = starts.get(place) ?? {
      runner: isPod ? callerOn(site, situation) : site.runner,
      calls: [],
    };
    start.calls.push({ path, url: target });
    starts.set(place, start);
  }
  return [...starts.values()];
}

/** How calls are made. */
export interface CallOptions extends RunOptions {
  /** How long a call may take (default: timeout_ms). */
  readonly limit_ms?: number;
  /** Told how far it is, where it is not quick. */
  readonly announce?: ((line: string) => void) | undefined;
}

/**
 * Tries paths, all at once. A "no" that was not expected is tried once more,
 * with more time, before it is believed: a lost packet or a slow machine must
 * not look like a fault.
 *
 * @throws {UnreachableError}
 */
export async function tryPaths(
  paths: readonly Path[],
  situation: Situation,
  known: Known,
  options: CallOptions,
): Promise<readonly Tried[]> {
  const { cluster } = situation;
  const cpus = navigator.hardwareConcurrency;
  // More at once would keep each other from an answer in time.
  const { seen, took_ms } = await observe(
    paths,
    situation,
    known,
    options,
    turnsOf(cluster, 8 * cpus),
  );
  const first = paths.map((path) =>
    judged(path, seen.get(path), situation, known)
  );
  const doubtful = first.filter((tried) =>
    tried.observed.answer === "no" && !isAsExpected(tried)
  ).map(({ path }) => path);
  if (doubtful.length === 0) return first;
  const { limit_ms = timeout_ms } = options;
  const slow_ms = secondLimit_ms(limit_ms, took_ms);
  const longer = { ...options, limit_ms: slow_ms };
  // Most of these only wait.
  const { seen: again } = await observe(
    doubtful,
    situation,
    known,
    longer,
    turnsOf(cluster, 16 * cpus),
  );
  return first.map((tried) => {
    const { path } = tried;
    const observed = again.get(path);
    if (observed === undefined) return tried;
    return {
      ...judged(path, observed, situation, known),
      ...(observed.answer === "yes" ? { slow_ms } : {}),
    };
  });
}

function judged(
  path: Path,
  observed: Observed | undefined,
  { progress }: Situation,
  known: Known,
): Tried {
  const expected = expect(path, progress);
  const [source, ...others] = sourcesOf(path, expected, known);
  return {
    path,
    expected,
    expectedSource: source,
    otherSources: others,
    observed: observed ?? { answer: "untried", why: "no pod" },
  };
}

/** What came of calls. */
interface Calls {
  readonly seen: ReadonlyMap<Path, Observed>;
  /** How long the calls of one place took at most. */
  readonly took_ms: number;
}

/** Calls all targets, and asks those for what they saw that only wrote it down. */
async function observe(
  paths: readonly Path[],
  situation: Situation,
  known: Known,
  options: CallOptions,
  turn: Turns,
): Promise<Calls> {
  const { cluster, sites } = situation;
  const starts = startsOf(paths, situation, known);
  const { seen, took_ms } = await callAll(starts, options, turn);
  const [family = 4] = familiesOf(cluster);
  const logged = [...seen].flatMap(([path, observed]) =>
    observed.answer === "yes" && observed.source === pageText ? [path] : []
  );
  const targets = new Set(logged.map(({ to }) => to));
  const logs = new Map(
    await Promise.all([...targets].map(async (name) => {
      const outcome = await sites.get(name)?.runner.run(serverLog(), options);
      return [name, readServerLog(outcome?.stdout ?? "")] as const;
    })),
  );
  const told = logged.map((path): [Path, Observed] => {
    const source = logs.get(path.to)?.get(pageOf(path))?.get(family);
    return [
      path,
      source === undefined
        ? { answer: "untried", why: `the log of ${path.to} has no such call` }
        : { answer: "yes", source },
    ];
  });
  return { seen: new Map([...seen, ...told]), took_ms };
}

async function callAll(
  starts: readonly Start[],
  { limit_ms = timeout_ms, announce, ...options }: CallOptions,
  turn: Turns,
): Promise<Calls> {
  let took_ms = 0;
  let done = 0;
  const all = starts.flatMap(({ calls }) => calls).length;
  const call = async ({ runner, calls }: Start) => {
    const urls = calls.map(({ url }) => url);
    const began_ms = Date.now();
    const outcome = await runner.run(httpCalls(urls, limit_ms), {
      ...options,
      // Where a machine is slow, it takes its time for the programs, too.
      timeout_ms: mostTime_ms(urls, limit_ms) +
        Math.max(options.timeout_ms ?? 0, 30_000),
    });
    took_ms = Math.max(took_ms, Date.now() - began_ms);
    done += calls.length;
    const answers = readCalls(outcome, urls);
    return calls.flatMap(({ path, url }) => {
      const observed = answers.get(url);
      return observed === undefined ? [] : [[path, observed] as const];
    });
  };
  const seen = await tellingIfSlow(
    `${all} paths are tried`,
    announce,
    Promise.all(starts.map((start) => turn(() => call(start)))),
    { soFar: () => `${done} so far` },
  );
  return { seen: new Map(seen.flat()), took_ms };
}
