/**
 * The Nodes as they were known last, on disk: an agent that starts without an API
 * server goes on with them.
 */
import type { Node } from "../node/node.ts";
import { isSameNode, type NodeRecord } from "./node_record.ts";
import { keepFile, keptFile } from "./own_file.ts";

/** Where they are kept, readable by root alone. */
export const knownNodesPath = "/var/lib/deno-cni/nodes.json";

/** All Nodes by their names, and what of them is new. */
export interface KnownNodes {
  readonly all: () => ReadonlyMap<string, NodeRecord>;
  /** Whether they came from the API server since the start. */
  readonly areFresh: () => boolean;
  /** Takes all of a list; says what is new, "" where nothing is. */
  readonly replace: (nodes: ReadonlyMap<string, NodeRecord>) => string;
  readonly put: (node: NodeRecord) => string;
  readonly remove: (name: string) => string;
  /** Reads what was kept; whether there was anything. */
  readonly read: () => Promise<boolean>;
  /** Writes them, where they came from the API server and differ from what is kept. */
  readonly write: () => Promise<void>;
}

/** None yet. */
export function knownNodes(node: Node): KnownNodes {
  let all = new Map<string, NodeRecord>();
  let fresh = false;
  let kept: string | undefined;
  return {
    all: () => all,
    areFresh: () => fresh,
    replace(nodes) {
      const news = differences(all, nodes, node.name);
      all = new Map(nodes);
      const first = !fresh;
      fresh = true;
      return news || (first ? "the API server has the same nodes" : "");
    },
    put(record) {
      const before = all.get(record.name);
      all.set(record.name, record);
      if (isSameNode(record, before, record.name === node.name)) return "";
      return `${record.name} ${before === undefined ? "joined" : "changed"}`;
    },
    remove: (name) => all.delete(name) ? `${name} left` : "",
    async read() {
      const text = await keptFile(node, knownNodesPath);
      const records = text === undefined ? undefined : parse(text);
      if (records === undefined) return false;
      kept = text;
      all = new Map(records.map((record) => [record.name, record]));
      return true;
    },
    async write() {
      if (!fresh) return;
      const records = [...all.values()];
      const text = `[${
        records.map((record) => `\n${JSON.stringify(record)}`).join(",")
      }\n]\n`;
      if (text === kept) return;
      await keepFile(node, knownNodesPath, text, 0o600);
      kept = text;
    },
  };
}

/** A file that was cut short is none: the API server has them all. */
function parse(text: string): NodeRecord[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** What is new, in words that stay short also for 1,000 nodes. */
function differences(
  before: ReadonlyMap<string, NodeRecord>,
  after: ReadonlyMap<string, NodeRecord>,
  own: string,
): string {
  const joined = [...after.keys()].filter((name) => !before.has(name));
  const left = [...before.keys()].filter((name) => !after.has(name));
  const changed = [...after].filter(([name, node]) =>
    before.has(name) && !isSameNode(node, before.get(name), name === own)
  ).map(([name]) => name);
  return [
    ...named(joined, "joined"),
    ...named(left, "left"),
    ...named(changed, "changed"),
  ].join("; ");
}

function named(names: readonly string[], what: string): string[] {
  if (names.length === 0) return [];
  const shown = names.slice(0, 5).join(", ");
  const more = names.length > 5 ? ` and ${names.length - 5} more` : "";
  return [`${shown}${more} ${what}`];
}
