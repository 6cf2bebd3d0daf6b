/**
 * The agent of one node: follows the Nodes of Kubernetes and the kernel of its own
 * machine, and applies stages 03 to 08 there whenever either changes.
 */
import type { ApiClient, Limits } from "../apiserver/client.ts";
import type { NetworkPart } from "../cluster/network_part.ts";
import { cmd, type Command } from "../exec/command.ts";
import { readLinks } from "../net/ip_json.ts";
import type { Node } from "../node/node.ts";
import type { PluginFile, Stage } from "../stage/stage.ts";
import { clusterOfNodes, type NodePlan } from "./cluster_of_nodes.ts";
import { followNodes } from "./follow_nodes.ts";
import { keepLoopback } from "./install.ts";
import { type KernelListening, listenToKernel } from "./kernel_events.ts";
import { type KnownNodes, knownNodes } from "./known_nodes.ts";
import { lockMachine } from "./machine_lock.ts";
import type { NodeRecord } from "./node_record.ts";
import {
  type NodeReporter,
  nodeReporter,
  type Trouble,
} from "./node_report.ts";
import { tellKubernetes } from "./own_node.ts";
import { type AgentRun, reconcile } from "./reconcile.ts";
import { type Pace, type RunOutcome, schedule, usualPace } from "./schedule.ts";
import { type AgentStatus, removeStatus } from "./status_file.ts";
import { type StatusKeeper, statusKeeper } from "./status_keeper.ts";
import { whereWritable } from "./own_file.ts";
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
  /** The reference plugin loopback, for a machine that has lost its own. */
  readonly loopback?: string;
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
  /** What the last run did. */
  readonly done: Set<string>;
  /** Knows what it has told already. */
  readonly reporter: NodeReporter | undefined;
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
    done: new Set(),
    reporter: client && nodeReporter(client, node.name),
  };
  const work = schedule((why) => run(parts, why), options.pace ?? usualPace);
  const begin = async () => {
    const unlock = await lockMachine(node, version, log, ending.signal);
    if (!ending.signal.aborted) {
      await Promise.all([
        followNodes(nodes, {
          ...options,
          reached: status.reached,
          request: (what) => work.request(what, true),
          ending: ending.signal,
        }),
        listenToKernel(listeningOf(parts, (what) => work.request(what))),
      ]);
      await work.stop();
      await whereWritable(log, "that it ended", () => removeStatus(node));
    }
    unlock();
  };
  const begun = begin();
  return {
    status: status.now,
    busy_ms: work.busy_ms,
    async stop() {
      ending.abort();
      const kill = setTimeout(() => killing.abort(), patience_ms);
      await begun;
      clearTimeout(kill);
    },
  };
}

function listeningOf(
  { options, podCIDRs, ending: signal }: Parts,
  tell: (what: string) => void,
): KernelListening {
  const { node, log, part } = options;
  const enter = (command: Command) => node.enter(command);
  return {
    enter,
    enterNetwork: options.enterNetwork ?? enter,
    bridge: part.cluster.bridge,
    isOurs: (podCIDR) => podCIDRs.has(podCIDR),
    tell,
    log,
    signal,
  };
}

async function run(
  parts: Parts,
  why: readonly string[],
): Promise<RunOutcome> {
  const { options, nodes, status, ending } = parts;
  const began_ms = performance.now();
  const { planned, report } = await planAndApply(parts);
  const outcome = outcomeOf(report);
  const took_ms = Math.round(performance.now() - began_ms);
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
  const again = isRepeated(parts, report);
  await whereWritable(options.log, "the nodes", nodes.write);
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
  return again && outcome !== "clean" ? "repeated" : outcome;
}

/** Whether something was missing that the run before had made. */
function isRepeated({ done }: Parts, report: AgentRun | Trouble): boolean {
  const now = "made" in report
    ? [...report.made, ...report.repaired]
      .map(({ stage, command }) => `${stage} ${command}`)
    : [];
  const again = now.some((one) => done.has(one));
  done.clear();
  now.forEach((one) => done.add(one));
  return again;
}

/** What keeps a run from being made at all is a trouble like others. */
async function planAndApply(
  parts: Parts,
): Promise<{ planned: NodePlan; report: AgentRun | Trouble }> {
  try {
    const planned = await plan(parts);
    await keepLoopback(parts.options);
    return { planned, report: await apply(parts, planned) };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const unplannable = { reason: "Failed", message: error.message };
    return { planned: { unplannable }, report: unplannable };
  }
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
  { options: { node, log }, nodes, status, ending, reporter }: Parts,
  planned: NodePlan,
  report: AgentRun | Trouble,
): Promise<void> {
  const record = nodes.all().get(node.name);
  if (reporter === undefined || record === undefined) return;
  if (!status.now().api.isReachable) return;
  const told = {
    troubles: troublesOf(report),
    isUp: outcomeOf(report) !== "failed",
    planned: "own" in planned ? planned.own : undefined,
    record,
  };
  try {
    await tellKubernetes(reporter, told, ending);
  } catch (error) {
    if (ending.aborted) return;
    if (!(error instanceof Error)) throw error;
    log(`cannot tell Kubernetes: ${error.message}`);
  }
}

function outcomeOf(
  report: AgentRun | Trouble,
): Exclude<RunOutcome, "repeated"> {
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
