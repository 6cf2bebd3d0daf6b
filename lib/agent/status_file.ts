/** What an agent tells of itself, in a file of its machine. */
import { ignoreAbsent } from "../exec/atomic_file.ts";
import type { Node } from "../node/node.ts";
import { keepFile, keptFile } from "./own_file.ts";

/** Where it is; gone with a reboot. */
export const statusPath = "/run/deno-cni/agent.json";

/** The file's content. */
export interface AgentStatus {
  readonly version: string;
  readonly node: string;
  readonly pid: number;
  /** When it was started, as ISO 8601. */
  readonly started: string;
  /** How many runs there were. */
  readonly runs: number;
  readonly lastRun?: {
    readonly at: string;
    readonly took_ms: number;
    readonly outcome: "clean" | "changed" | "failed";
    readonly why: readonly string[];
  };
  /** How many things it found missing that had been there, since it was started. */
  readonly repaired: number;
  /** What is wrong now, a paragraph each. */
  readonly problems: readonly string[];
  /** How many Nodes it knows. */
  readonly nodes: number;
  readonly api: {
    readonly server: string;
    readonly isReachable: boolean;
    /** Why it is not. */
    readonly why?: string;
    /** Since when it is so. */
    readonly since: string;
    readonly requests: number;
  };
}

/** Writes it for all to read. */
export async function writeStatus(
  node: Node,
  status: AgentStatus,
): Promise<void> {
  await keepFile(node, statusPath, `${JSON.stringify(status)}\n`, 0o644);
}

/** Reads it; undefined where there is none. */
export async function readStatus(node: Node): Promise<AgentStatus | undefined> {
  const text = await keptFile(node, statusPath);
  return text === undefined ? undefined : JSON.parse(text);
}

/** Removes it: there is no agent any more, or not for now. */
export async function removeStatus(node: Node): Promise<void> {
  const root = node.root?.();
  if (root === undefined) return;
  await Deno.remove(`${root}${statusPath}`).catch(ignoreAbsent);
}
