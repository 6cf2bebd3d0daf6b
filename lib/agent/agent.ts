/**
 * The agent of one node: follows the Nodes of Kubernetes and the kernel of its own
 * machine, and applies stages 03 to 08 there whenever either changes.
 */
import type { ApiClient, Limits } from "../apiserver/client.ts";
import { followObjects } from "../apiserver/follow.ts";
import type { NetworkPart } from "../cluster/network_part.ts";
import { cmd, type Command } from "../exec/command.ts";
import { readLinks } from "../net/ip_json.ts";
import type { Node } from "../node/node.ts";
import type { PluginFile, Stage } from "../stage/stage.ts";
import { clusterOfNodes, type NodePlan } from "./cluster_of_nodes.ts";
import { listenToKernel } from "./kernel_events.ts";
import { type KnownNodes, knownNodes } from "./known_nodes.ts";
import { type NodeRecord, readNode } from "./node_record.ts";
import { nodeReporter, type Trouble } from "./node_report.ts";
import { tellKubernetes } from "./own_node.ts";
import { type AgentRun, reconcile } from "./reconcile.ts";
import { type Pace, type RunOutcome, schedule, usualPace } from "./schedule.ts";
import { type AgentStatus, removeStatus } from "./status_file.ts";
import { type StatusKeeper, statusKeeper } from "./status_keeper.ts";
import { problemsOf, reportLines, troublesOf } from "./words.ts";

/** What an agent is given. */
interface AgentOptions {
  /** The machine that it runs on, under the name of its Node. */
  readonly node: Node;
  readonly part: NetworkPart;
  /** Stages 03 to 08. */
  readonly stages: readonly Stage[];
  /** Gives what the stages take from the operator's machine; left out, the node itself. */
  readonly operator?: Node;
  readonly pluginFiles: readonly PluginFile[];
  readonly version: string;
  readonly log: (line: string) => void;
  /** The API server's; without it, it goes by the Nodes that it is given. */
  readonly client?: ApiClient;
  /** Nodes that are known otherwise. */
  readonly nodes?: readonly NodeRecord[];
  /** The command that listens in the machine's network namespace. */
  readonly enterNetwork?: (command: Command) => Command;
  readonly pace?: Pace;
  readonly limits?: Limits;
}

/** An agent at work. */
export interface Agent {
  readonly status: () => AgentStatus;
  /** Milliseconds for which the run under way has gone on; 0 between runs. */
  readonly busy_ms: () => number;
  /** Ends it: after the command under way, or without it where that takes long. */
  readonly stop: () => Promise<void>;
}

/** An agent that is to end waits so long for the command under way. */
const patience_ms = 1200;

/** So long an agent that begins waits for the API server, then it goes by what it knew last. */
const firstList_ms = 3000;

/** Of each command on the machine, and longer where it is one for many nodes. */
const command_ms = 30_000;
const eachNode_ms = 50;

/** What the parts of an agent share. */
interface Parts {
  readonly options: AgentOptions;
  readonly nodes: KnownNodes;
  readonly status: StatusKeeper;
  /** No further step begins. */
  readonly ending: AbortSignal;
  /** Commands under way end. */
  readonly killing: AbortSignal;
  /** The podCIDRs to which there are routes of ours. */
  readonly podCIDRs: Set<string>;
}

/** Starts an agent. */
export function startAgent(options: AgentOptions): Agent {
  const { node, log, client, version } = options;
  const ending = new AbortController();
  const killing = new AbortController();
  const nodes = knownNodes(node);
  const count = () => nodes.all().size;
  const status = statusKeeper({ node, client, version, nodes: count, log });
  const parts: Parts = {
    options,
    nodes,
    status,
    ending: ending.signal,
    killing: killing.signal,
    podCIDRs: new Set(),
  };
  const work = schedule((why) => run(parts, why), options.pace ?? usualPace);
  const following = followNodes(parts, (what) => work.request(what, true));
  const listening = listenToKernel({
    enter: options.enterNetwork ?? ((command) => node.enter(command)),
    isOurs: (podCIDR) => parts.podCIDRs.has(podCIDR),
    tell: (what) => work.request(what),
    log,
    signal: ending.signal,
  });
  return {
    status: status.now,
    busy_ms: () => Date.now() - (work.since() ?? Date.now()),
    async stop() {
      ending.abort();
      const kill = setTimeout(() => killing.abort(), patience_ms);
      await Promise.all([work.stop(), following, listening]);
      clearTimeout(kill);
      await removeStatus(node);
    },
  };
}

/** Follows the Nodes of Kubernetes, or takes those that are given. */
async function followNodes(
  { options, nodes, status, ending }: Parts,
  request: (what: string) => void,
): Promise<void> {
  const { client, limits, nodes: given } = options;
  const tell = (news: string) => news !== "" && request(news);
  if (client === undefined) {
    const byName = (given ?? []).map((one) => [one.name, one] as const);
    tell(nodes.replace(new Map(byName)));
    return;
  }
  const first = setTimeout(async () => {
    if (nodes.areFresh()) return;
    request(
      await nodes.read()
        ? "the API server does not answer, the nodes are those that were known last"
        : "nothing is known of the nodes yet",
    );
  }, firstList_ms);
  await followObjects<NodeRecord>(client, {
    all: (items) => tell(nodes.replace(items)),
    changed: (_, record) => tell(nodes.put(record)),
    removed: (name) => tell(nodes.remove(name)),
    reached: status.reached,
  }, {
    path: "/api/v1/nodes",
    pick: readNode,
    signal: ending,
    ...(limits === undefined ? {} : { limits }),
  });
  clearTimeout(first);
}

async function run(
  parts: Parts,
  why: readonly string[],
): Promise<RunOutcome> {
  const { options, nodes, status, ending } = parts;
  const began_ms = Date.now();
  const planned = await plan(parts);
  const report = await apply(parts, planned);
  const outcome = outcomeOf(report);
  const took_ms = Date.now() - began_ms;
  if (ending.aborted) {
    // What was cut off is no failure.
    if (outcome === "changed") {
      reportLines(report, why, took_ms).forEach(options.log);
    }
    return "clean";
  }
  const before = status.now();
  const problems = problemsOf(report);
  const news = outcome !== "clean" || before.runs === 0 ||
    before.problems.length > 0;
  if (news) reportLines(report, why, took_ms).forEach(options.log);
  await nodes.write();
  const repaired = "repaired" in report ? report.repaired.length : 0;
  await status.change({
    runs: before.runs + 1,
    repaired: before.repaired + repaired,
    problems,
    lastRun: { at: new Date().toISOString(), took_ms, outcome, why },
  });
  sweep();
  // Nothing depends on it: what cannot be told now is told after another run.
  void tell(parts, planned, report);
  return outcome;
}

async function plan(
  { options: { node, part }, nodes, killing, podCIDRs }: Parts,
): Promise<NodePlan> {
  const { stdout } = await node.run(cmd`ip -j -d addr`, { signal: killing });
  const held = readLinks(stdout).flatMap(({ addresses }) => addresses);
  const all = nodes.all().values();
  const planned = clusterOfNodes(part, all, node.name, held);
  if ("cluster" in planned) {
    podCIDRs.clear();
    for (const { podCIDRs: theirs } of planned.cluster.nodes) {
      theirs.forEach((podCIDR) => podCIDRs.add(podCIDR));
    }
  }
  return planned;
}

async function apply(
  { options, ending, killing }: Parts,
  planned: NodePlan,
): Promise<AgentRun | Trouble> {
  if ("unplannable" in planned) return planned.unplannable;
  const { node, stages, pluginFiles, operator } = options;
  return await reconcile({
    ...planned,
    ...(operator === undefined ? {} : { operator }),
    node,
    stages,
    pluginFiles,
    timeout_ms: command_ms + planned.cluster.nodes.length * eachNode_ms,
    signal: killing,
    stopping: () => ending.aborted,
  });
}

async function tell(
  { options: { client, node, log }, nodes, status, ending }: Parts,
  planned: NodePlan,
  report: AgentRun | Trouble,
): Promise<void> {
  const record = nodes.all().get(node.name);
  if (client === undefined || record === undefined) return;
  if (!status.now().api.isReachable) return;
  const told = {
    troubles: troublesOf(report),
    isUp: outcomeOf(report) !== "failed",
    planned: "own" in planned ? planned.own : undefined,
    record,
  };
  try {
    await tellKubernetes(nodeReporter(client, node.name), told, ending);
  } catch (error) {
    if (ending.aborted) return;
    if (!(error instanceof Error)) throw error;
    log(`cannot tell Kubernetes: ${error.message}`);
  }
}

function outcomeOf(report: AgentRun | Trouble): RunOutcome {
  if ("reason" in report || report.failed.length > 0) return "failed";
  return report.made.length + report.repaired.length > 0 ? "changed" : "clean";
}

/** What a run leaves behind goes at once, where V8 was started with --expose-gc. */
function sweep(): void {
  const collect: unknown = Reflect.get(globalThis, "gc");
  if (typeof collect === "function") {
    collect({ type: "major", execution: "sync", flavor: "last-resort" });
  }
}
