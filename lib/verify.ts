/**
 * Stage 09: starts what pods and servers are missing, tries every path at
 * once, and looks for the cause of what was not expected.
 */
import {
  type Known,
  knownOf,
  nodeUrl,
  pathsToTry,
  seenBeyond,
  tryPaths,
} from "./attempts.ts";
import type { Family } from "./cidr.ts";
import { CommandError, type RunOptions, show, succeeded } from "./command.ts";
import { type Control, diagnose, type Scene } from "./diagnose.ts";
import { diagnosePods, type PodsTried } from "./diagnose_pods.ts";
import { gatherNode, type NodeFacts } from "./evidence.ts";
import { familiesOf } from "./families.ts";
import { execFault, nodeFault } from "./kubectl_faults.ts";
import { insideOf } from "./kubectl_pods.ts";
import {
  dnsRemarks,
  podsInside,
  prepareInKubernetes,
  tryDns,
  tryNodes,
} from "./kubectl_prepare.ts";
import {
  isAsExpected,
  outside,
  type Path,
  startsAtPod,
  type Tried,
} from "./matrix.ts";
import type { MatrixReport } from "./matrix_report.ts";
import { call, patience_ms, readCalls } from "./paths.ts";
import { attachmentOf, caller, type PodName, podNames, podOn } from "./pods.ts";
import {
  type Hands,
  handsFor,
  missingServers,
  podSites,
  type Prepared,
  preparePods,
} from "./prepare.ts";
import { canCheck, check } from "./runtime.ts";
import { type Site, type Situation, situationIn } from "./situation.ts";
import { StepError } from "./ask.ts";
import type { Manner } from "./book.ts";
import type { Stage } from "./step.ts";
import type { Cause } from "./suspects.ts";
import { type Explained, reportOf } from "./verify_report.ts";

/** What to verify, and how. */
export interface Order {
  /** The nodes whose pods, and the paths from and to which, are looked at. */
  readonly selected: readonly string[];
  /** The stages whose probes give evidence. */
  readonly stages: readonly Stage[];
  readonly manner: Manner;
  /** How long a call may take (default: patience_ms). */
  readonly limit_ms?: number;
}

/** What came of it. */
export interface Verified {
  readonly report: MatrixReport;
  readonly known: ReadonlyMap<Family, Known>;
}

/** One family of the cluster, looked at by itself. */
interface View {
  readonly family: Family;
  readonly situation: Situation;
  readonly known: Known;
}

/**
 * Verifies a cluster.
 *
 * @throws {UnreachableError} when a node went away meanwhile
 * @throws {CommandError} when a server could not be started
 * @throws {StepError} when the user wants no more
 */
export async function verify(
  before: Situation,
  order: Order,
): Promise<Verified> {
  const { manner, selected, limit_ms = patience_ms } = order;
  const hands = handsFor(manner);
  const ready = await prepare(before, order, hands);
  const { situation, prepared } = ready;
  const views = await Promise.all(
    familiesOf(situation.cluster).map(async (family): Promise<View> => {
      const own = situationIn(situation, family);
      const known = knownOf(own, prepared);
      const options = { ...hands.options, limit_ms };
      const beyond = await seenBeyond(own, known, options);
      return { family, situation: own, known: { ...known, beyond } };
    }),
  );
  const [tried, checks, dns] = await Promise.all([
    Promise.all(views.map(async (view) => {
      const { situation, known } = view;
      const paths = pathsToTry(situation, selected, known);
      const options = { ...hands.options, limit_ms };
      const tried = await tryPaths(paths, situation, known, options);
      return { ...view, tried };
    })),
    situation.kubernetes === undefined
      ? checkPods(prepared, hands.options)
      : new Map<string, readonly CommandError[]>(),
    tryDns(situation, selected, callersOf(views), hands.options),
  ]);
  const nodes = tryNodes(situation, selected);
  if (manner.stopping()) {
    throw new StepError("09-verify was interrupted while it tried the paths");
  }
  const pods: PodsTried[] = prepared.map(({ site, pods }) => ({
    node: site.node.name,
    survey: site.survey,
    ...startErrorOf(Object.values(pods)),
    checkErrors: checks.get(site.node.name) ?? [],
  }));
  const explained = await explain(tried, pods, order);
  const remarks = prepared.flatMap(({ remarks }) => remarks);
  const report = reportOf({
    situation,
    selected,
    views: tried,
    explained,
    remarks: [...remarks, ...dnsRemarks(situation)],
    nodes,
    dns,
  });
  const known = new Map(views.map(({ family, known }) => [family, known]));
  return { report, known };
}

/** The workers whose calling pod is there, in any family. */
function callersOf(views: readonly View[]): ReadonlyMap<string, string> {
  return new Map(views.flatMap(({ known }) => [...known.callers]));
}

function startErrorOf(
  outcomes: readonly Prepared["pods"]["web"][],
): Pick<PodsTried, "startError" | "stuck"> {
  for (const outcome of outcomes) {
    if (outcome.is === "failed") return { startError: outcome.error };
    if (outcome.is === "stuck") return { stuck: outcome.cause };
  }
  return {};
}

/** Starts the servers and pods that are missing. */
async function prepare(
  situation: Situation,
  { selected, manner }: Order,
  hands: Hands,
): Promise<{ situation: Situation; prepared: readonly Prepared[] }> {
  const sites = podSites(situation, selected);
  if (sites.length === 0) return { situation, prepared: [] };
  const servers = missingServers(situation).map((placed) => async () => {
    for (const step of placed.steps) await hands.do(placed.runner, step);
    return [];
  });
  const { kubernetes } = situation;
  if (kubernetes !== undefined) {
    await hands.each(servers, (start) => start());
    const found = await prepareInKubernetes(
      { ...situation, kubernetes },
      sites,
      selected,
      hands,
      manner,
    );
    return {
      situation: { ...situation, kubernetes: found.kubernetes },
      prepared: found.prepared,
    };
  }
  const pods = sites.map(
    (site) => async () => [await preparePods(site, hands)],
  );
  const jobs: (() => Promise<Prepared[]>)[] = [...servers, ...pods];
  const prepared = (await hands.each(jobs, (job) => job())).flat();
  return { situation, prepared };
}

/** Asks the plugins whether the pods that were there already are as ADD left them. */
async function checkPods(
  prepared: readonly Prepared[],
  options: RunOptions,
): Promise<ReadonlyMap<string, readonly CommandError[]>> {
  const found = await Promise.all(prepared.map(async ({ site }) => {
    const errors = await Promise.all(
      podNames.map((pod) => checkPod(site, pod, options)),
    );
    return [site.node.name, errors.flat()] as const;
  }));
  return new Map(found);
}

async function checkPod(
  { runner, survey }: Site,
  pod: PodName,
  options: RunOptions,
): Promise<readonly CommandError[]> {
  const state = survey.pods[pod];
  if (state.is !== "running" || !canCheck(state.list)) return [];
  for (const command of check(state.list, attachmentOf(pod), state.result)) {
    const outcome = await runner.run(command, options);
    if (succeeded(outcome)) continue;
    const why = `CHECK whether pod ${pod} is as ADD left it`;
    return [new CommandError(runner.name, command, outcome, why)];
  }
  return [];
}

/** Looks for causes; asks the nodes only where there is something to explain. */
async function explain(
  views: readonly (View & { readonly tried: readonly Tried[] })[],
  pods: readonly PodsTried[],
  order: Order,
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
    const scene = await gather(involved, view, order);
    return { wrong, scene, situation: view.situation };
  }));
  const podCauses = new Map<string, Cause>();
  for (const one of pods) {
    const causes = scenes.flatMap(({ scene: { cluster, facts } }) =>
      diagnosePods(one, cluster, facts.get(one.node)) ?? []
    );
    // What can be named beats the error message.
    const cause = causes.find(({ kind }) =>
      kind !== "start" && kind !== "check"
    ) ?? causes[0];
    if (cause !== undefined) podCauses.set(one.node, cause);
  }
  const pathCauses = new Map<Path, Cause>();
  for (const { wrong, scene, situation } of scenes) {
    for (const one of wrong) {
      const { path, observed } = one;
      // A path without its pod is explained by what keeps the pod from being there.
      const podless = observed.answer === "untried"
        ? podCauses.get(path.from) ?? podCauses.get(path.to) ??
          notExecuted(path, observed.why, situation)
        : undefined;
      pathCauses.set(path, podless ?? diagnose(one, scene));
    }
  }
  return { pods: podCauses, paths: pathCauses };
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
  const { leader, seen } = kubernetes;
  const tried = show(insideOf(caller, path.from, { argv: ["true"] }));
  return nodeFault(path.from, seen, leader.name) ??
    execFault(path.from, tried, why, leader.name);
}

async function gather(
  involved: ReadonlySet<string>,
  { situation, known }: View,
  { stages, manner, limit_ms = patience_ms }: Order,
): Promise<Scene> {
  const { cluster, sites, progress } = situation;
  const options = { timeout_ms: manner.timeout_ms, signal: manner.signal };
  const gone = situation.outside.is === "gone"
    ? situation.outside.why
    : undefined;
  const here = [...sites.values()].filter(({ node }) =>
    involved.has(node.name)
  );
  const facts = await Promise.all(here.map(async (site) => {
    const { node, runner } = site;
    const results = known.results.get(node.name) ?? new Map();
    const pods = situation.kubernetes === undefined
      ? [...results].map(([pod, result]) => ({
        pod,
        result,
        inside: podOn(runner, pod),
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
      ),
      controlCalls(site, situation, known, { ...options, limit_ms }),
    ]);
    return [node.name, found, control] as const;
  }));
  return {
    cluster,
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
  const outcome = await runner.run(call(urls, limit_ms), options);
  const answers = readCalls(outcome, urls);
  return new Map(targets.flatMap(([name, url]) => {
    const observed = answers.get(url);
    if (observed === undefined) return [];
    return [[name, { command: `wget -qO- ${url}`, observed }] as const];
  }));
}
