/** Stage 09's attempts: what is called from where, and what came of it. */
import {
  type Addresses,
  allPaths,
  columnOf,
  endsAtPod,
  expect,
  expectedSource,
  gatewayAddress,
  isAsExpected,
  type Observed,
  outside,
  type Path,
  podsWaitFor,
  startsAtPod,
  type Tried,
} from "./matrix.ts";
import { httpCalls, readCalls, timeout_ms, url } from "./http_calls.ts";
import { ofFamily } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { RunOptions } from "../exec/command.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { isUp, type KubernetesPod } from "../kubernetes/kubectl.ts";
import { execOn, podName } from "./kubernetes_pods.ts";
import {
  caller,
  nodePort,
  type PodName,
  podNames,
  podOn,
  server,
} from "./namespace_pods.ts";
import type { Prepared } from "./start_pods.ts";
import type { AddResult } from "../cni/runtime.ts";
import { type Site, type Situation, workerSites } from "./situation.ts";
import type { Runner } from "../node/node.ts";

/** All that paths begin and end at. */
export interface Known extends Addresses {
  /** By node: the address of the pod that answers. */
  readonly servers: ReadonlyMap<string, string>;
  /** By node: what ADD gave each of its pods. */
  readonly results: ReadonlyMap<string, ReadonlyMap<PodName, AddResult>>;
}

/**
 * What is known once pods were started.
 *
 * @param situation of one family (situationIn())
 * @param prepared the workers on which pods were started or found
 */
export function knownOf(
  situation: Situation,
  prepared: readonly Prepared[],
): Known {
  const results = new Map<string, Map<PodName, AddResult>>();
  const [family] = familiesOf(situation.cluster);
  const keep = (node: string, pod: PodName, result: AddResult) => {
    const address = family && ofFamily(result.addresses, family);
    if (address === undefined) return; // Made before the cluster had the family.
    const own = results.get(node) ?? new Map<PodName, AddResult>();
    results.set(node, own.set(pod, { ...result, address }));
  };
  // Pods of nodes that were not selected take part as they are.
  for (const site of workerSites(situation)) {
    const { node: { name } } = site;
    if (podsWaitFor(situation.progress, name) !== undefined) continue;
    for (const pod of podNames) {
      const result = running(pod, site, situation);
      if (result !== undefined) keep(name, pod, result);
    }
  }
  for (const { site: { node }, pods } of prepared) {
    for (const pod of podNames) {
      const outcome = pods[pod];
      if (outcome.is === "there") keep(node.name, pod, outcome.result);
    }
  }
  const addressesOfPod = (pod: PodName) =>
    new Map(
      [...results].flatMap(([node, pods]) => {
        const result = pods.get(pod);
        return result === undefined ? [] : [[node, result.address] as const];
      }),
    );
  const { nodes } = situation.cluster;
  return {
    results,
    callers: addressesOfPod(caller),
    servers: addressesOfPod(server),
    nodes: new Map(nodes.map(({ name, address }) => [name, address])),
    gateways: new Map(
      nodes.flatMap((node) => {
        const address = gatewayAddress(node);
        return address === undefined ? [] : [[node.name, address] as const];
      }),
    ),
  };
}

/** What ADD gave a pod that is there already; undefined where it is not. */
export function running(
  pod: PodName,
  { node, survey }: Site,
  { kubernetes }: Situation,
): AddResult | undefined {
  if (kubernetes !== undefined) {
    const seen = kubernetes.seen.pods.get(podName(pod, node.name));
    return isUp(seen) ? resultOf(seen) : undefined;
  }
  const state = survey.pods[pod];
  return state.is === "running" ? state.result : undefined;
}

/** What is known of the ADD of a pod of Kubernetes without asking its node: the addresses. */
export function resultOf({ addresses }: KubernetesPod): AddResult {
  return { address: addresses[0] ?? "", addresses, hostLinks: [], whole: {} };
}

/** Where commands run in a worker's pod that calls. */
function callerOn(
  { node, runner }: Site,
  { kubernetes }: Situation,
): Runner {
  return kubernetes === undefined
    ? podOn(runner, caller)
    : execOn(kubernetes.controlPlane, caller, node.name);
}

/** The paths that the selected nodes have a part in: from them, and to and from their pods. */
export function pathsToTry(
  situation: Situation,
  selected: readonly string[],
  { servers, callers }: Pick<Known, "servers" | "callers">,
): readonly Path[] {
  const { cluster, progress, outside: { is } } = situation;
  const withPods = new Set(
    workerSites(situation).map(({ node }) => node.name).filter((name) =>
      podsWaitFor(progress, name) === undefined &&
      (selected.includes(name) || (servers.has(name) && callers.has(name)))
    ),
  );
  return allPaths(cluster, withPods).filter((path) =>
    (selected.includes(path.from) || selected.includes(columnOf(path))) &&
    !(path.to === outside && is === "none")
  );
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
  return nodeUrl(path.to, cluster, known);
}

/** Where a node or the outside host answers. */
export function nodeUrl(
  name: string,
  { outside: { address, urls } }: Cluster,
  known: Addresses,
): string {
  if (name !== outside) return url(known.nodes.get(name) ?? "", nodePort);
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
    if (startsAtPod(path) && !known.callers.has(path.from)) continue;
    const runner = startsAtPod(path) ? callerOn(site, situation) : site.runner;
    const start = starts.get(runner.name) ?? { runner, calls: [] };
    start.calls.push({ path, url: target });
    starts.set(runner.name, start);
  }
  return [...starts.values()];
}

/** How calls are made. */
interface CallOptions extends RunOptions {
  /** How long a call may take (default: timeout_ms). */
  readonly limit_ms?: number;
}

/**
 * Tries paths, all at once; a "no" that was not expected is tried once more
 * before it is believed.
 *
 * @throws {UnreachableError}
 */
export async function tryPaths(
  paths: readonly Path[],
  situation: Situation,
  known: Known,
  options: CallOptions,
): Promise<readonly Tried[]> {
  const first = await callAll(startsOf(paths, situation, known), options);
  const judge = (seen: ReadonlyMap<Path, Observed>) =>
    paths.map((path): Tried => {
      const expected = expect(path, situation.progress);
      return {
        path,
        expected,
        expectedSource: expectedSource(path, expected, known),
        observed: seen.get(path) ?? { answer: "untried", why: "no pod" },
      };
    });
  // A lost packet must not look like a fault.
  const doubtful = judge(first).filter((tried) =>
    tried.observed.answer === "no" && !isAsExpected(tried)
  ).map(({ path }) => path);
  if (doubtful.length === 0) return judge(first);
  const second = await callAll(startsOf(doubtful, situation, known), options);
  return judge(new Map([...first, ...second]));
}

async function callAll(
  starts: readonly Start[],
  { limit_ms = timeout_ms, ...options }: CallOptions,
): Promise<ReadonlyMap<Path, Observed>> {
  const seen = await Promise.all(starts.map(async ({ runner, calls }) => {
    const urls = calls.map(({ url }) => url);
    const command = httpCalls(urls, limit_ms);
    const answers = readCalls(await runner.run(command, options), urls);
    return calls.flatMap(({ path, url }) => {
      const observed = answers.get(url);
      return observed === undefined ? [] : [[path, observed] as const];
    });
  }));
  return new Map(seen.flat());
}

/**
 * As whom a page beyond sees the nodes themselves, by node: whatever further
 * NAT there is, a pod that leaves as its node is seen the same.
 */
export async function seenBeyond(
  situation: Situation,
  known: Known,
  { limit_ms = timeout_ms, ...options }: CallOptions,
): Promise<ReadonlyMap<string, string>> {
  if (situation.outside.is !== "page") return new Map();
  const page = nodeUrl(outside, situation.cluster, known);
  const seen = await Promise.all(
    workerSites(situation).map(async ({ node: { name }, runner }) => {
      const outcome = await runner.run(httpCalls([page], limit_ms), options);
      const observed = readCalls(outcome, [page]).get(page);
      return observed?.answer === "yes"
        ? [[name, observed.source] as const]
        : [];
    }),
  );
  return new Map(seen.flat());
}
