/**
 * Stage 09: starts what pods and servers are missing, tries every path at
 * once, and looks for the cause of what was not expected.
 */
import { adopting } from "./adopting.ts";
import { knownOf } from "./known_ends.ts";
import { seenBeyond } from "./seen_beyond.ts";
import { type Known, tryPaths } from "./try_paths.ts";
import { pathsToTry } from "./wanted_paths.ts";
import type { Family } from "../net/cidr.ts";
import { CommandError, type RunOptions, succeeded } from "../exec/command.ts";
import type { PodsTried } from "./diagnose_pods.ts";
import { type Asking, explain, type View } from "./explain.ts";
import { type Turns, turnsOf } from "../cluster/at_once.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { dnsRemarks, tryDns, tryNodes } from "./kubernetes_checks.ts";
import { strangerRemarks } from "../kubernetes/strangers.ts";
import { podCIDRRemarks } from "../kubernetes/pod_cidrs.ts";
import { prepareInKubernetes } from "./kubernetes_start.ts";
import type { MatrixReport } from "./matrix_report.ts";
import { timeout_ms } from "./http_calls.ts";
import { tryHairpins } from "./hairpin.ts";
import { tryHostPorts } from "./host_port.ts";
import { tryLong } from "./long_packets.ts";
import { tryOthers } from "./other_pods.ts";
import { podAttachment, type PodName, podNames } from "./namespace_pods.ts";
import { endServer } from "./node_server.ts";
import {
  checkServers,
  missingServers,
  podSites,
  type Prepared,
  preparePods,
} from "./start_pods.ts";
import { type StepRunner, stepRunnerFor } from "./step_runner.ts";
import { canCheck, checkCommands } from "../cni/runtime.ts";
import { type Site, type Situation, situationIn } from "./situation.ts";
import { type Explained, matrixReport } from "./build_report.ts";
import { blameLoad, loadsOf, secondLimit_ms, slowRemarks } from "./slowness.ts";
import { StepError } from "../stage/errors.ts";

/** What to verify, and how. */
interface Order extends Asking {
  /** The nodes whose pods, and the paths from and to which, are looked at. */
  readonly selected: readonly string[];
  /**
   * Whether a service and a port of the node are tried: on a lab that sets rules of
   * nat for a moment.
   */
  readonly translated?: boolean;
  /** False: which paths are not as expected is told, and no cause is looked for. */
  readonly causes?: boolean;
}

/** What came of it. */
export interface Verified {
  readonly report: MatrixReport;
  readonly known: ReadonlyMap<Family, Known>;
  /** Whether some node could not be reached. */
  readonly lacks: boolean;
}

/**
 * Verifies a cluster.
 *
 * @throws {UnreachableError} when a node went away meanwhile
 * @throws {CommandError} when a server could not be started
 * @throws {StepError} when the user wants no more
 */
export async function verify(
  found: Situation,
  order: Order,
): Promise<Verified> {
  const runner = stepRunnerFor(order.context, found.cluster);
  const before = await adopting(found, order.stages, runner.options);
  const { situation, prepared } = await prepare(before, order, runner);
  const servers = prepared.length === 0 ? [] : checkServers(situation);
  try {
    const said = await runner.each(servers, async ({ runner: node, steps }) => {
      const printed = [];
      for (const step of steps) printed.push(await runner.do(node, step));
      return printed.join("").trim().split("\n").filter((line) => line !== "")
        .map((line) => `${node.name}: ${line}`);
    });
    return await tryAll(situation, prepared, said.flat(), order, runner);
  } finally {
    // Also after Ctrl-C; one that cannot be ended ends by itself.
    await Promise.allSettled(
      servers.map(({ runner }) => runner.run(endServer().run)),
    );
  }
}

const unexplained: Explained = { pods: new Map(), paths: new Map() };

async function tryAll(
  situation: Situation,
  prepared: readonly Prepared[],
  remarks: readonly string[],
  order: Order,
  runner: StepRunner,
): Promise<Verified> {
  const { context, selected, limit_ms = timeout_ms } = order;
  const options = { ...runner.options, limit_ms, announce: context.announce };
  const views = await viewsOf(situation, prepared, options);
  const [tried, checks, dns, hairpins, hostPorts, others, long] = await Promise
    .all([
      Promise.all(views.map(async (view) => {
        const { situation, known } = view;
        const paths = pathsToTry(situation, selected, known);
        return {
          ...view,
          tried: await tryPaths(paths, situation, known, options),
        };
      })),
      situation.kubernetes === undefined
        ? checkPods(prepared, turnsOf(situation.cluster), runner.options)
        : new Map<string, readonly CommandError[]>(),
      tryDns(situation, selected, callersOf(views), runner.options),
      order.translated
        ? tryHairpins(situation, selected, serversOf(views), options)
        : [],
      order.translated
        ? tryHostPorts(situation, selected, prepared, options)
        : [],
      tryOthers(situation, selected, runner.options),
      order.causes === false ? [] : tryLong(views, selected, runner.options),
    ]);
  if (context.stopping()) {
    throw new StepError("09-verify was interrupted while it tried the paths");
  }
  const all = tried.flatMap(({ tried }) => tried);
  const loads = await loadsOf(all, situation.sites, runner.options);
  const failed = podsTried(prepared, checks);
  const explained = order.causes === false
    ? unexplained
    : await explain(tried, failed, {
      ...order,
      // What is to explain a "no" has as much time as the second try.
      limit_ms: secondLimit_ms(limit_ms, 0),
    });
  const report = matrixReport({
    situation,
    selected,
    views: tried,
    explained: {
      ...explained,
      paths: blameLoad(explained.paths, all, loads),
    },
    remarks: [
      ...remarks,
      ...prepared.flatMap(({ remarks }) => remarks),
      ...kubernetesRemarks(situation),
      ...slowRemarks(all, loads),
    ],
    nodes: tryNodes(situation, selected),
    dns,
    hairpins,
    hostPorts,
    others,
    long,
  });
  const known = new Map(views.map(({ family, known }) => [family, known]));
  return { report, known, lacks: (situation.gone?.size ?? 0) > 0 };
}

/** Each family of the cluster by itself, with what is known of its ends. */
async function viewsOf(
  situation: Situation,
  prepared: readonly Prepared[],
  options: RunOptions & { readonly limit_ms: number },
): Promise<readonly View[]> {
  return await Promise.all(
    familiesOf(situation.cluster).map(async (family): Promise<View> => {
      const own = situationIn(situation, family);
      const known = knownOf(own, prepared);
      const beyond = await seenBeyond(own, known, options);
      return { family, situation: own, known: { ...known, beyond } };
    }),
  );
}

/** What is of its DNS, and what Kubernetes has otherwise than the cluster file. */
function kubernetesRemarks(situation: Situation): readonly string[] {
  const { cluster, kubernetes } = situation;
  if (kubernetes === undefined) return dnsRemarks(situation);
  const { seen } = kubernetes;
  return [
    ...dnsRemarks(situation),
    ...strangerRemarks(cluster, seen),
    ...podCIDRRemarks(cluster, seen),
  ];
}

function podsTried(
  prepared: readonly Prepared[],
  checks: ReadonlyMap<string, readonly CommandError[]>,
): readonly PodsTried[] {
  return prepared.map(({ site, pods }) => ({
    node: site.node.name,
    survey: site.survey,
    ...startErrorOf(Object.values(pods)),
    checkErrors: checks.get(site.node.name) ?? [],
  }));
}

/** The pods that answer, by worker, in the cluster's first family. */
function serversOf([view]: readonly View[]): ReadonlyMap<string, string> {
  return view?.known.servers ?? new Map();
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
  { selected, context }: Order,
  runner: StepRunner,
): Promise<{ situation: Situation; prepared: readonly Prepared[] }> {
  const sites = podSites(situation, selected);
  if (sites.length === 0) return { situation, prepared: [] };
  const servers = missingServers(situation).map((placed) => async () => {
    for (const step of placed.steps) await runner.do(placed.runner, step);
    return [];
  });
  const { kubernetes } = situation;
  if (kubernetes !== undefined) {
    await runner.each(servers, (start) => start());
    const found = await prepareInKubernetes(
      { ...situation, kubernetes },
      sites,
      selected,
      runner,
      context,
    );
    return {
      situation: { ...situation, kubernetes: found.kubernetes },
      prepared: found.prepared,
    };
  }
  const pods = sites.map(
    (site) => async () => [await preparePods(site, runner)],
  );
  const jobs: (() => Promise<Prepared[]>)[] = [...servers, ...pods];
  const turn = turnsOf(situation.cluster);
  const prepared = (await runner.each(jobs, turn)).flat();
  return { situation, prepared };
}

/** Asks the plugins whether the pods that were there already are as ADD left them. */
async function checkPods(
  prepared: readonly Prepared[],
  turn: Turns,
  options: RunOptions,
): Promise<ReadonlyMap<string, readonly CommandError[]>> {
  const found = await Promise.all(prepared.map(async ({ site }) => {
    const errors = await turn(() =>
      Promise.all(podNames.map((pod) => checkPod(site, pod, options)))
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
  for (
    const command of checkCommands(state.list, podAttachment(pod), state.result)
  ) {
    const outcome = await runner.run(command, options);
    if (succeeded(outcome)) continue;
    const why = `CHECK whether pod ${pod} is as ADD left it`;
    return [new CommandError(runner.name, command, outcome, why)];
  }
  return [];
}
