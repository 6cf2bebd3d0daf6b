/** What stage 09 begins with: the nodes' journals, and what is there of test pods and servers. */
import type { Family } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { CommandError, type RunOptions } from "../exec/command.ts";
import { turnsOf } from "../cluster/at_once.ts";
import { inFamily } from "../cluster/address_family.ts";
import { readJournal } from "../stage/journal.ts";
import { type Kubernetes, lookKubernetes } from "./kubernetes_state.ts";
import { controlPlaneOf, usesKubeadm } from "../kubernetes/kubeconfig.ts";
import type { PodTemplate } from "./kubernetes_pods.ts";
import { labId } from "../lab/names.ts";
import { routerName } from "../cluster/segments.ts";
import type { StageProgress } from "./expected.ts";
import { workersOf } from "./matrix.ts";
import { type Node, type Reach, UnreachableError } from "../node/node.ts";
import type { NodeList } from "./namespace_pods.ts";
import { type StageName, stageNames } from "../stage/stage.ts";
import {
  nodeSurveyCommand,
  readNodeSurvey,
  type Survey,
} from "./node_survey.ts";
import { StepError } from "../stage/errors.ts";

/** A node, and what it has. */
export interface Site {
  readonly node: ClusterNode;
  readonly runner: Node;
  readonly complete: readonly StageName[];
  readonly survey: Survey;
}

/** The host outside the cluster: there, gone, or none that this tool could run a server on. */
type OutsideSite =
  | { readonly is: "there"; readonly runner: Node; readonly serving: boolean }
  | { readonly is: "gone"; readonly why: string }
  /** A page that the cluster file names, which answers by itself. */
  | { readonly is: "page" }
  | { readonly is: "none" };

/** The cluster as stage 09 finds it. */
export interface Situation {
  readonly cluster: Cluster;
  readonly sites: ReadonlyMap<string, Site>;
  /** The nodes that cannot be reached, and why. */
  readonly gone?: ReadonlyMap<string, UnreachableError>;
  readonly outside: OutsideSite;
  readonly progress: StageProgress;
  /** The router of a lab with several segments. */
  readonly router?: Node;
  /** Absent where stage 09 starts the pods itself, through the plugin. */
  readonly kubernetes?: Kubernetes;
}

/** What a look goes on without. */
interface Tolerance {
  /** False: a Kubernetes that does not answer is as none. */
  readonly kubernetesNeeded?: boolean;
  /** Whether nodes that cannot be reached are left out, as long as one can be. */
  readonly mayLack?: boolean;
}

/**
 * Asks every node; changes nothing.
 *
 * @param names the nodes to ask, where it is not all of them
 * @throws {UnreachableError | JournalError | CommandError}
 * @throws {StepError} when a node lacks what stage 09 works with
 */
export async function look(
  cluster: Cluster,
  reach: Reach,
  options: RunOptions,
  names: readonly string[] = cluster.nodes.map(({ name }) => name),
  { kubernetesNeeded = true, mayLack = false }: Tolerance = {},
): Promise<Situation> {
  const gone = new Map<string, UnreachableError>();
  const asked = cluster.nodes.filter(({ name }) => names.includes(name));
  const turn = turnsOf(cluster);
  const [outside, kubernetes, ...found] = await Promise.all([
    lookOutside(cluster, reach.outside, options),
    usesKubeadm(cluster)
      ? lookKubernetes(cluster, leaderOf(cluster, reach), options)
        .catch(unless(kubernetesNeeded))
      : undefined,
    ...asked.map(async (node): Promise<Site | undefined> => {
      const runner = reach.nodeOf(node.name);
      try {
        return await turn(() => lookAt(node, runner, options));
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        gone.set(node.name, error);
        if (mayLack && gone.size < asked.length) return undefined;
        throw error;
      }
    }),
  ]);
  const sites = found.filter((site) => site !== undefined);
  checkForeign(sites);
  return {
    cluster,
    sites: new Map(sites.map((site) => [site.node.name, site])),
    ...(gone.size === 0 ? {} : { gone }),
    outside,
    progress: {
      complete: new Map(
        sites.map(({ node, complete }) => [node.name, complete]),
      ),
      unfiltered: new Set(
        sites.filter(({ survey }) => !survey.bridged)
          .map(({ node }) => node.name),
      ),
    },
    ...(kubernetes === undefined ? {} : { kubernetes }),
    ...(cluster.segments === undefined
      ? {}
      : { router: reach.nodeOf(routerName) }),
  };
}

async function lookAt(
  node: ClusterNode,
  runner: Node,
  options: RunOptions,
): Promise<Site> {
  const [journal, survey] = await Promise.all([
    readJournal(runner, options),
    ask(runner, options),
  ]);
  return { node, runner, complete: journal.complete, survey };
}

/** What does not answer is passed over where it need not. */
function unless(needed: boolean): (error: unknown) => undefined {
  return (error) => {
    const silent = error instanceof StepError ||
      error instanceof UnreachableError;
    if (needed || !silent) throw error;
    return undefined;
  };
}

function leaderOf(cluster: Cluster, reach: Reach): Node {
  return reach.nodeOf(controlPlaneOf(cluster).name);
}

async function ask(runner: Node, options: RunOptions): Promise<Survey> {
  const boundary = crypto.randomUUID();
  const command = nodeSurveyCommand(boundary);
  const outcome = await runner.run(command, options);
  const survey = readNodeSurvey(outcome, boundary);
  if (survey === undefined) {
    throw new CommandError(
      runner.name,
      { argv: ["sh", "-c", "…", "survey"] },
      outcome,
      "see which test pods and servers are there",
    );
  }
  const { runtime } = survey;
  if (runtime !== undefined && runtime.running === undefined) {
    throw new StepError(
      `containerd on ${runner.name}, which runs the pods there, does not answer\n` +
        "what to do: run 02-kubeadm, which starts it again, then this stage",
    );
  }
  if (survey.busybox) return survey;
  throw new StepError(
    `${runner.name} has no busybox, which stage 09's servers and callers are\n` +
      "what to do: install it (apt-get install busybox-static), then run this stage again",
  );
}

async function lookOutside(
  { outside: { urls } }: Cluster,
  runner: Node | undefined,
  options: RunOptions,
): Promise<OutsideSite> {
  if (runner === undefined) return { is: urls === undefined ? "none" : "page" };
  try {
    const { serving } = await ask(runner, options);
    return { is: "there", runner, serving };
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    return { is: "gone", why: error.reason };
  }
}

/** A namespace by a test pod's name that is not ours is never touched. */
function checkForeign(sites: readonly Site[]): void {
  for (const { node, survey } of sites) {
    for (const [pod, state] of Object.entries(survey.pods)) {
      if (state.is !== "foreign") continue;
      throw new StepError(
        `refused: ${node.name} has a network namespace "${pod}" that stage 09 did not make\n` +
          `what to do: on ${node.name}, remove it (ip netns del ${pod}) if nothing needs it`,
      );
    }
  }
}

/** The situation of one family of the cluster, as if it had no other. */
export function situationIn(situation: Situation, family: Family): Situation {
  const cluster = inFamily(situation.cluster, family);
  const sites = cluster.nodes.flatMap((node): [string, Site][] => {
    const site = situation.sites.get(node.name);
    return site === undefined ? [] : [[node.name, { ...site, node }]];
  });
  // A page is of one family.
  const unpaged = situation.outside.is === "page" &&
    cluster.outside.urls?.length === 0;
  return {
    ...situation,
    cluster,
    sites: new Map(sites),
    ...(unpaged ? { outside: { is: "none" } } : {}),
  };
}

/** The workers of a situation, in the cluster's order. */
export function workerSites({ cluster, sites }: Situation): readonly Site[] {
  return workersOf(cluster).flatMap(({ name }) => sites.get(name) ?? []);
}

/**
 * The cluster as it will most likely be when stages 01 to 08 are complete,
 * for a plan that asks no node.
 *
 * @param listOf the network configuration that 03 writes on a node
 * @param template what Kubernetes' pods are made of, where machines are no lab
 */
export function expectedSituation(
  cluster: Cluster,
  reach: Reach,
  listOf: (node: ClusterNode) => NodeList | undefined,
  template: PodTemplate,
): Situation {
  const complete = stageNames.filter((name) => name !== "09-verify");
  const sites = cluster.nodes.map((node): Site => ({
    node,
    runner: reach.nodeOf(node.name),
    complete,
    survey: {
      links: [],
      addresses: [],
      bridged: true,
      busybox: true,
      plugins: [],
      list: listOf(node),
      serving: false,
      ...(cluster.runtime === undefined ? {} : {
        runtime: { machine: `${labId(cluster)}/${node.name}`, running: [] },
      }),
      pods: { shell: { is: "none" }, web: { is: "none" } },
    },
  }));
  return {
    cluster,
    sites: new Map(sites.map((site) => [site.node.name, site])),
    outside: reach.outside === undefined
      ? { is: cluster.outside.urls === undefined ? "none" : "page" }
      : { is: "there", runner: reach.outside, serving: false },
    progress: {
      complete: new Map(cluster.nodes.map(({ name }) => [name, complete])),
      unfiltered: new Set(),
    },
    ...(!usesKubeadm(cluster) ? {} : {
      kubernetes: {
        controlPlane: leaderOf(cluster, reach),
        template,
        seen: { nodes: new Map(), pods: new Map(), namespace: "none" },
        dns: "ready",
      },
    }),
  };
}
