/** The agent's status as it changes, in memory and in its file. */
import type { ApiClient } from "../apiserver/client.ts";
import type { Node } from "../node/node.ts";
import { whereWritable } from "./own_file.ts";
import { type AgentStatus, writeStatus } from "./status_file.ts";

/** The status of one agent. */
export interface StatusKeeper {
  readonly now: () => AgentStatus;
  /** Takes over what is new, and writes the file. */
  readonly change: (news: Partial<AgentStatus>) => Promise<void>;
  /** Takes over whether the API server answers; writes and logs it where that is new. */
  readonly reached: (why: string | undefined) => void;
}

/** What a status is made of. */
interface StatusSources {
  readonly node: Node;
  readonly client: ApiClient | undefined;
  readonly version: string;
  readonly nodes: () => number;
  readonly log: (line: string) => void;
}

/** The status of an agent that has just begun. */
export function statusKeeper(
  { node, client, version, nodes, log }: StatusSources,
): StatusKeeper {
  const time = () => new Date().toISOString();
  const server = client?.server ?? "";
  let status: AgentStatus = {
    version,
    node: node.name,
    pid: Deno.pid,
    started: time(),
    runs: 0,
    repaired: 0,
    problems: [],
    nodes: 0,
    api: { server, isReachable: false, since: time(), requests: 0 },
  };
  const now = () => ({
    ...status,
    nodes: nodes(),
    api: { ...status.api, requests: client?.requests() ?? 0 },
  });
  let last = Promise.resolve<unknown>(undefined);
  const change = async (news: Partial<AgentStatus>) => {
    status = { ...status, ...news };
    // One writer at a time.
    last = last.then(() =>
      whereWritable(log, "the status", () => writeStatus(node, now()))
    );
    await last;
  };
  return {
    now,
    change,
    reached(why) {
      const isReachable = why === undefined;
      const { api } = status;
      if (api.isReachable === isReachable && api.why === why) return;
      log(
        isReachable
          ? `the API server answers: ${server}`
          : `the API server does not answer, the network stays as it is known: ${why}`,
      );
      const since = api.isReachable === isReachable ? api.since : time();
      const whyNot = why === undefined ? {} : { why };
      void change({
        api: { server, isReachable, since, requests: 0, ...whyNot },
      });
    },
  };
}
