/** The BGP sessions of a cluster as they are drawn: by what bird says at either end. Pure. */
import { sessionsOf } from "../cluster/bgp_sessions.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Inventory, InventoryNode } from "../inventory/inventory.ts";
import type { Fact } from "./node_facts.ts";

/** A session as it is drawn. */
export interface SceneSession {
  /** The nodes of both ends, or a node and the address of a router. */
  readonly ends: readonly [string, string];
  /** The router's autonomous system, where the far end is none of the nodes. */
  readonly as?: number;
  /** What bird says of one that is down, at the end that says so. */
  readonly down?: string;
}

/** The sessions that the cluster file asks for; none before any bird runs. */
export function sceneSessions(
  cluster: Cluster,
  { nodes }: Inventory,
): readonly SceneSession[] {
  const hosts = new Map(nodes.map(({ name, host }) => [name, host]));
  const runs = nodes.some(({ host }) =>
    host.is === "read" && host.sessions !== undefined
  );
  if (cluster.bgp === undefined || !runs) return [];
  const found = new Map<string, SceneSession>();
  for (const node of cluster.nodes) {
    const host = hosts.get(node.name);
    for (const { name, node: far, address, as } of sessionsOf(cluster, node)) {
      const ends = [node.name, far ?? address] as const;
      const key = far === undefined
        ? ends.join(" ")
        : ends.toSorted().join(" ");
      const other = found.get(key);
      const down = other?.down ??
        (host?.is === "read" ? downAt(host.sessions, name) : "no answer");
      found.set(key, {
        ends: other?.ends ?? ends,
        ...(far === undefined ? { as } : {}),
        ...(down === undefined ? {} : { down }),
      });
    }
  }
  return [...found.values()];
}

type Seen = Extract<InventoryNode["host"], { is: "read" }>["sessions"];

function downAt(sessions: Seen, name: string): string | undefined {
  if (sessions === undefined) return "no bird";
  const seen = sessions.find((session) => session.name === name);
  if (seen === undefined) return "no such session";
  if (seen.state === "Established") return undefined;
  return seen.error === undefined ? seen.state : `${seen.state}, ${seen.error}`;
}

/** The sessions that have this end, a node's name or a router's address. */
export function sessionsAt(
  sessions: readonly SceneSession[],
  end: string,
): readonly SceneSession[] {
  return sessions.filter(({ ends }) => ends.includes(end));
}

/** How many of a node's sessions are up, and down. */
export function countsAt(
  sessions: readonly SceneSession[],
  node: string,
): { readonly sessions?: { readonly up: number; readonly down: number } } {
  const own = sessionsAt(sessions, node);
  const up = own.filter(({ down }) => down === undefined).length;
  return own.length === 0 ? {} : { sessions: { up, down: own.length - up } };
}

/** How many of these are up, with the sign that says so without a colour. */
export function counted(sessions: readonly SceneSession[]): string {
  const down = sessions.filter(({ down }) => down !== undefined).length;
  return down === 0
    ? `✓ ${sessions.length} up`
    : `✗ ${down} of ${sessions.length} down`;
}

/** Sessions that are down, that many by name. */
const downNamed = 2;

/** A node's sessions as facts of it, and whether it passes on what others tell. */
export function sessionFacts(
  sessions: readonly SceneSession[],
  node: string,
  reflects: boolean,
): readonly Fact[] {
  const own = sessionsAt(sessions, node);
  if (own.length === 0) return [];
  const down = own.filter(({ down }) => down !== undefined);
  const up = own.length - down.length;
  const more = down.length - downNamed;
  return [
    {
      key: "sessions",
      text: `${up} of ${own.length} BGP sessions up` +
        (reflects ? ", reflects routes (RR)" : ""),
      tone: down.length === 0 ? "good" : "bad",
    },
    ...down.slice(0, downNamed).map(({ ends, down }): Fact => {
      const far = ends.find((end) => end !== node) ?? node;
      return {
        key: `session ${far}`,
        text: `BGP with ${far}: ${down}`,
        tone: "bad",
      };
    }),
    ...(more <= 0 ? [] : [{
      key: "more sessions",
      text: `${more} more sessions like that`,
      tone: "bad" as const,
    }]),
  ];
}
