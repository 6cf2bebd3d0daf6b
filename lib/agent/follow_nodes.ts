/** Where an agent has its Nodes from: the API server, what it knew last, or what it is given. */
import type { ApiClient, Limits } from "../apiserver/client.ts";
import { followObjects } from "../apiserver/follow.ts";
import type { KnownNodes } from "./known_nodes.ts";
import { type NodeRecord, readNode } from "./node_record.ts";
import { whereWritable } from "./own_file.ts";

/** How they are followed. */
interface Following {
  readonly client?: ApiClient;
  readonly limits?: Limits;
  /** Nodes that are known otherwise. */
  readonly nodes?: readonly NodeRecord[];
  readonly log: (line: string) => void;
  /** Told whether the API server answers, and why it does not. */
  readonly reached: (why: string | undefined) => void;
  /** Told what is new. */
  readonly request: (what: string) => void;
  readonly ending: AbortSignal;
}

/** So long an agent that begins waits for the API server, then it goes by what it knew last. */
const firstList_ms = 3000;

/** Follows the Nodes of Kubernetes, or takes those that are given. */
export async function followNodes(
  nodes: KnownNodes,
  { client, limits, nodes: given, log, reached, request, ending }: Following,
): Promise<void> {
  const tell = (news: string) => news !== "" && request(news);
  if (client === undefined) {
    const byName = (given ?? []).map((one) => [one.name, one] as const);
    tell(nodes.replace(new Map(byName)));
    return;
  }
  const first = setTimeout(async () => {
    if (nodes.areFresh()) return;
    const known = await whereWritable(log, "the nodes", nodes.read);
    request(
      known
        ? "the API server does not answer, the nodes are those that were known last"
        : "nothing is known of the nodes yet",
    );
  }, firstList_ms);
  await followObjects<NodeRecord>(client, {
    all: (items) => tell(nodes.replace(items)),
    changed: (_, record) => tell(nodes.put(record)),
    removed: (name) => tell(nodes.remove(name)),
    reached,
  }, {
    path: "/api/v1/nodes",
    pick: readNode,
    signal: ending,
    ...(limits === undefined ? {} : { limits }),
  });
  clearTimeout(first);
}
