/**
 * The agents of a lab's nodes in a process of their own, which goes on when what
 * started it ends. It bears the lab's mark, so the end of the lab is its end.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { labId } from "../lab/names.ts";
import {
  hasEnded,
  isAlive,
  membersOf,
  type Process,
  takeSnapshot,
} from "../lab/processes.ts";
import type { Node } from "../node/node.ts";
import { knownNodesPath } from "./known_nodes.ts";
import { type AgentStatus, readStatus, statusPath } from "./status_file.ts";

/** No machine of a lab can have this name. */
const place = "_agents";

/** So long the agents have to end by themselves. */
const patience_ms = 10_000;

type Lab = Pick<Cluster, "name" | "stateDir">;

/** Where the agents' log is. */
export function agentsLog({ stateDir }: Lab): string {
  return `${stateDir}/agents.log`;
}

/** The process of a lab's agents; undefined where there is none. */
export function agentsOf(cluster: Lab): Process | undefined {
  const lab = labId(cluster);
  const members = membersOf(takeSnapshot(), lab, place)
    .filter((process) =>
      process.entered === `${lab}/${place}` && !hasEnded(process)
    );
  // What it has started may bear the mark as well.
  const pids = new Set(members.map(({ pid }) => pid));
  return members.find(({ parent }) => !pids.has(parent));
}

/** Starts the process. */
export function startAgents(
  cluster: Lab,
  argv: readonly string[],
  cwd: string,
): void {
  const { argv: [program, ...args] } =
    cmd`sh -c ${'log=$1; shift; exec setsid "$@" >"$log" 2>&1'} agents ${
      agentsLog(cluster)
    } ${argv}`;
  new Deno.Command(program, {
    args,
    cwd,
    env: { DENO_CNI_NODE: `${labId(cluster)}/${place}`, NO_COLOR: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn().unref();
}

/**
 * Ends the process: by a signal that lets it come to an end, else at once.
 *
 * @returns whether there was one
 */
export async function stopAgents(cluster: Lab): Promise<boolean> {
  const process = agentsOf(cluster);
  if (process === undefined) return false;
  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    if (!isAlive(process)) break;
    Deno.kill(process.pid, signal);
    const end_ms = Date.now() + patience_ms;
    while (isAlive(process) && Date.now() < end_ms) await pause(50);
  }
  return true;
}

/**
 * Waits until the agents of these nodes have had a run.
 *
 * @returns by node the agent's status; none of a node whose agent had no run in time, or
 * of whose process nothing is left
 */
export async function firstRuns(
  cluster: Lab,
  nodes: readonly Node[],
  timeout_ms: number,
  stopping: () => boolean,
): Promise<ReadonlyMap<string, AgentStatus>> {
  const end_ms = Date.now() + timeout_ms;
  const seen = new Map<string, AgentStatus>();
  while (!stopping()) {
    const pid = agentsOf(cluster)?.pid;
    for (const node of nodes) {
      const status = await readStatus(node);
      if (status?.lastRun !== undefined && status.pid === pid) {
        seen.set(node.name, status);
      }
    }
    const isOver = pid === undefined || Date.now() > end_ms;
    if (seen.size === nodes.length || isOver) break;
    await pause(100);
  }
  return seen;
}

/**
 * Removes what an agent that is gone kept on its node for itself. The journal stays: it is
 * the stages' as well.
 *
 * @throws {UnreachableError}
 */
export async function forgetAgent(node: Node): Promise<void> {
  const script = 'rm -f "$@"; for f; do rmdir "${f%/*}" 2>/dev/null || :; done';
  await node.run(cmd`sh -c ${script} forget ${knownNodesPath} ${statusPath}`);
}

async function pause(ms: number): Promise<void> {
  await new Promise((go) => setTimeout(go, ms));
}
