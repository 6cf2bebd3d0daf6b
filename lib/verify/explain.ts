/**
 * Why what stage 09 saw is not what it expected: asks the nodes of the paths
 * that went wrong, and no others.
 */
import { type Known, nodeUrl } from "./try_paths.ts";
import type { Family } from "../net/cidr.ts";
import { type RunOptions, show } from "../exec/command.ts";
import type { Control, PathFindings } from "./diagnose_causes.ts";
import { diagnose } from "./diagnose_path.ts";
import { diagnosePods, type PodsTried } from "./diagnose_pods.ts";
import { askRouter } from "../diagnosis/segments/router_answer.ts";
import { tunnelQuestion } from "../diagnosis/tunnels.ts";
import { gatherNode, type NodeFacts } from "../diagnosis/evidence.ts";
import { turnsOf } from "../cluster/at_once.ts";
import { gathering } from "../node/batch.ts";
import { execFault, nodeFault } from "../kubernetes/faults.ts";
import { insideOf, podName } from "./kubernetes_pods.ts";
import { podsInside } from "./kubernetes_start.ts";
import {
  isAsExpected,
  outside,
  type Path,
  startsAtPod,
  type Tried,
} from "./matrix.ts";
import { httpCalls, readCalls, timeout_ms } from "./http_calls.ts";
import { caller, paths, podOn, server } from "./namespace_pods.ts";
import type { Site, Situation } from "./situation.ts";
import type { Stage } from "../stage/stage.ts";
import { type PathTracer, traceUnexplained } from "./trace_unexplained.ts";
import type { Cause } from "../diagnosis/cause.ts";
import type { Explained } from "./build_report.ts";
import type { RunContext } from "../stage/context.ts";

/** One family of the cluster, looked at by itself. */
export interface View {
  readonly family: Family;
  readonly situation: Situation;
  readonly known: Known;
}

/** How the nodes are asked. */
export interface Asking {
  /** The stages whose probes give evidence. */
  readonly stages: readonly Stage[];
  readonly context: RunContext;
  /** How long a call may take (default: timeout_ms). */
  readonly limit_ms?: number;
  /** Follows the packets of a path that is not explained otherwise. */
  readonly trace?: PathTracer;
}

/** Looks for causes; asks the nodes only where there is something to explain. */
export async function explain(
  views: readonly (View & { readonly tried: readonly Tried[] })[],
  pods: readonly PodsTried[],
  order: Asking,
): Promise<Explained> {
  const suspicious = pods.filter(({ startError, stuck, checkErrors }) =>
    startError !== undefined || stuck !== undefined || checkErrors.length > 0
  );
  const scenes = await Promise.all(views.map(async (view) => {
    const wrong = view.tried.filter((one) => !isAsExpected(one));
    const involved = new Set([
      ...wrong.flatMap(({ path }) => [path.from, path.to]),
      ...suspicious.map(({ node }) => node),
    ]);
    const findings = await gather(involved, view, order);
    return { wrong, findings, situation: view.situation, family: view.family };
  }));
  const podCauses = new Map<string, Cause>();
  for (const { situation } of scenes) {
    for (const name of situation.gone?.keys() ?? []) {
      const cause = goneFault(name, situation);
      if (cause !== undefined) podCauses.set(name, cause);
    }
  }
  for (const one of pods) {
    const causes = scenes.flatMap(({ findings: { cluster, facts } }) =>
      diagnosePods(one, cluster, facts.get(one.node)) ?? []
    );
    // What can be named beats the error message.
    const cause = causes.find(({ kind }) =>
      kind !== "start" && kind !== "check"
    ) ?? causes[0];
    if (cause !== undefined) podCauses.set(one.node, cause);
  }
  const pathCauses = new Map<Path, Cause>();
  for (const { wrong, findings, situation } of scenes) {
    for (const one of wrong) {
      const { path, observed } = one;
      // A path without its pod is explained by what keeps the pod from being there.
      const podless = observed.answer === "untried"
        ? podCauses.get(path.from) ?? podCauses.get(path.to) ??
          notExecuted(path, observed.why, situation)
        : undefined;
      pathCauses.set(
        path,
        goneFault(path.to, situation) ?? podless ?? diagnose(one, findings),
      );
    }
  }
  if (order.trace !== undefined) {
    const { timeout_ms, signal } = order.context;
    const unexplained = scenes.flatMap(({ wrong, family, situation }) =>
      wrong.filter(({ path }) => pathCauses.get(path)?.kind === "unknown")
        .map(({ path }) => ({ path, family, pods: podsOf(path, situation) }))
    );
    const options = { timeout_ms, signal };
    const traced = await traceUnexplained(unexplained, order.trace, options);
    for (const [path, cause] of traced) pathCauses.set(path, cause);
  }
  return { pods: podCauses, paths: pathCauses };
}

/** What the pods at a path's ends are called on their nodes. */
function podsOf({ from, to }: Path, { kubernetes }: Situation) {
  return kubernetes === undefined
    ? { caller, server }
    : { caller: podName(caller, from), server: podName(server, to) };
}

/** A node that cannot be reached costs what is its own, and nothing else. */
function goneFault(
  name: string,
  { gone, cluster: { provider } }: Situation,
): Cause | undefined {
  const why = gone?.get(name)?.reason;
  if (why === undefined) return undefined;
  return {
    kind: "node",
    on: name,
    what: `${name} cannot be reached: ${why}`,
    evidence: [],
    remedies: provider === "lab" ? [{ make: "up" }] : [],
  };
}

/** A pod of Kubernetes that runs, and in which nothing could be executed. */
function notExecuted(
  path: Path,
  why: string,
  { kubernetes, sites }: Situation,
): Cause | undefined {
  const site = sites.get(path.from);
  if (kubernetes === undefined || site === undefined) return undefined;
  if (!startsAtPod(path)) return undefined;
  const { controlPlane, seen } = kubernetes;
  const tried = show(insideOf(caller, path.from, { argv: ["true"] }));
  return nodeFault(path.from, seen, controlPlane.name) ??
    execFault(path.from, tried, why, controlPlane.name);
}

async function gather(
  involved: ReadonlySet<string>,
  { situation, known }: View,
  { stages, context, limit_ms = timeout_ms }: Asking,
): Promise<PathFindings> {
  const { cluster, sites, progress, router: between } = situation;
  const options = { timeout_ms: context.timeout_ms, signal: context.signal };
  const gone = situation.outside.is === "gone"
    ? situation.outside.why
    : undefined;
  const here = [...sites.values()].filter(({ node }) =>
    involved.has(node.name)
  );
  const turn = turnsOf(cluster);
  const asking = involved.size > 0 && between !== undefined
    ? askRouter(cluster, () => between, options)
    : undefined;
  const facts = await Promise.all(here.map((site) =>
    turn(async () => {
      const { node } = site;
      const runner = gathering(site.runner);
      const results = known.results.get(node.name) ?? new Map();
      const pods = situation.kubernetes === undefined
        ? [...results].map(([pod, result]) => ({
          pod,
          result,
          inside: podOn(runner, pod),
          sandbox: paths.sandbox(pod),
        }))
        : await podsInside(site, results, options);
      const [found, control] = await Promise.all([
        gatherNode(
          runner,
          node,
          stages.map((stage) => ({
            stage: stage.name,
            steps: stage.steps?.({ cluster, node }) ?? [],
          })),
          pods,
          options,
          tunnelQuestion(cluster, node),
        ),
        controlCalls(site, situation, known, { ...options, limit_ms }),
      ]);
      return [node.name, found, control] as const;
    })
  ));
  const router = await asking;
  return {
    cluster,
    ...(router === undefined ? {} : { router }),
    addresses: known,
    servers: known.servers,
    facts: new Map(
      facts.map(([name, found]): [string, NodeFacts] => [name, found]),
    ),
    outsideGone: gone,
    control: new Map(facts.map(([name, , control]) => [name, control])),
    unfiltered: progress.unfiltered,
  };
}

/** The same calls from the node itself: what fails there too is no matter of pods. */
async function controlCalls(
  { node, runner }: Site,
  { cluster, outside: { is } }: Situation,
  known: Known,
  { limit_ms, ...options }: RunOptions & { readonly limit_ms: number },
): Promise<ReadonlyMap<string, Control>> {
  const others = [
    ...cluster.nodes.map(({ name }) => name)
      .filter((name) => name !== node.name),
    ...(is === "none" ? [] : [outside]),
  ];
  const targets = others.map((name) =>
    [name, nodeUrl(name, cluster, known)] as const
  );
  const urls = targets.map(([, url]) => url);
  const outcome = await runner.run(httpCalls(urls, limit_ms), options);
  const answers = readCalls(outcome, urls);
  return new Map(targets.flatMap(([name, url]) => {
    const observed = answers.get(url);
    if (observed === undefined) return [];
    return [[name, { command: `wget -qO- ${url}`, observed }] as const];
  }));
}
