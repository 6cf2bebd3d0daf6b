/** What there is to draw of a cluster, and what is new of it. Pure. */
import { hasTunnels } from "../cluster/tunnels.ts";
import { segmentAt, segmentsOf } from "../cluster/segments.ts";
import { bridgeName } from "../lab/names.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type {
  Host,
  Inventory,
  InventoryHost,
  InventoryLink,
  InventoryNode,
} from "../inventory/inventory.ts";
import { reflectorsOf } from "../cluster/bgp_sessions.ts";
import { allFacts, type Fact } from "./node_facts.ts";
import { podsOf, type ScenePod, type Since } from "./pods.ts";
import { laneOf, routersOf, type SceneLane } from "./routers.ts";
import {
  countsAt,
  type SceneSession,
  sceneSessions,
  sessionFacts,
} from "./sessions.ts";

/** A cluster as it is drawn. */
export interface PictureScene {
  readonly nodes: readonly SceneNode[];
  readonly outside?: { readonly lines: readonly string[] };
  /** The segments, that of the outside host first. */
  readonly segments: readonly SceneSegment[];
  /** The router between them, where there are several. */
  readonly router?: { readonly lines: readonly string[] };
  /** The nodes' BGP sessions with each other and with routers. */
  readonly sessions: readonly SceneSession[];
  /** Routers that nodes have sessions with, and that are not drawn otherwise. */
  readonly peers?: {
    readonly lines: readonly string[];
    /** Whether no session with one of them is up. */
    readonly down: boolean;
  };
  /** What the lines are along the segments. */
  readonly lane?: SceneLane;
  /** Whether nodes of one segment do without a tunnel. */
  readonly direct: boolean;
}

/** A segment as it is drawn. */
interface SceneSegment {
  readonly name: string;
  readonly cidrs: readonly string[];
}

/** A node as it is drawn. */
export interface SceneNode {
  readonly name: string;
  readonly title: string;
  /** The place of its segment. */
  readonly segment: number;
  /** Whether it has its end of tunnels to others. */
  readonly tunnelled: boolean;
  /** How many of its BGP sessions are up, and down; none where it has none. */
  readonly sessions?: { readonly up: number; readonly down: number };
  /** Whether it passes on to nodes what others tell it by BGP. */
  readonly reflects: boolean;
  /** Why it says nothing; the rest is empty then. */
  readonly silent?: string;
  readonly pods: readonly ScenePod[];
  readonly bridge?: {
    readonly lines: readonly string[];
    /** Whether it carries nothing as it is. */
    readonly wrong: boolean;
    readonly since: Since;
  };
  readonly facts: readonly SceneFact[];
  /** The link to the others, and its addresses. */
  readonly uplink: {
    readonly text: string;
    readonly name: string;
    readonly up: boolean;
  };
}

/** A fact as it is drawn: with its sign, and the word where it is new or gone. */
interface SceneFact extends Fact {
  readonly since: Since;
}

/** Puts together what is drawn; what was in the picture before and is not now is kept, as gone. */
export function sceneOf(
  now: Inventory,
  cluster: Cluster,
  before?: Inventory,
): PictureScene {
  const sessions = sceneSessions(cluster, now);
  return {
    nodes: now.nodes.map((node) => {
      const old = before?.nodes.find(({ name }) => name === node.name);
      return sceneNode(
        node,
        cluster,
        { inventory: now, sessions },
        before === undefined ? undefined : {
          inventory: before,
          sessions: sceneSessions(cluster, before),
          node: old,
        },
      );
    }),
    segments: segmentsOf(cluster).map(({ cidrs }, at) => ({
      name: bridgeName(at),
      cidrs,
    })),
    ...routersOf(cluster, sessions),
    sessions,
    ...laneOf(cluster, sessions),
    direct: cluster.vxlan?.direct ?? true,
    ...(now.outside === undefined
      ? {}
      : { outside: { lines: outsideLines(now.outside, cluster) } }),
  };
}

/** A cluster at a moment. */
interface Moment {
  readonly inventory: Inventory;
  readonly sessions: readonly SceneSession[];
}

interface Before extends Moment {
  readonly node: InventoryNode | undefined;
}

function sceneNode(
  node: InventoryNode,
  cluster: Cluster,
  now: Moment,
  before: Before | undefined,
): SceneNode {
  const { host } = node;
  const title = node.role === "control-plane" ? "control plane" : "worker";
  const base = {
    name: node.name,
    title,
    segment: segmentAt(cluster, node.address),
    tunnelled: host.is === "read" && hasTunnels(cluster, node.name) &&
      linkOf(host, tunnelLink)?.up === true,
    ...countsAt(now.sessions, node.name),
    reflects: now.sessions.length > 0 &&
      reflectorsOf(cluster).includes(node.name),
  };
  if (host.is === "unreachable") {
    return {
      ...base,
      silent: host.why,
      pods: [],
      facts: [],
      uplink: { text: node.address, name: "", up: false },
    };
  }
  const old = before?.node;
  const oldHost = old?.host.is === "read" ? old.host : undefined;
  const link = uplinkOf(node, host);
  const factsAt = (moment: Moment, node: InventoryNode, host: Host) => [
    ...allFacts(node, host, cluster, moment.inventory, link),
    ...sessionFacts(moment.sessions, node.name, base.reflects),
  ];
  const facts = factsAt(now, node, host);
  const oldFacts = old === undefined || oldHost === undefined
    ? undefined
    : factsAt(before ?? now, old, oldHost);
  return {
    ...base,
    pods: podsOf(host, oldHost, cluster, before !== undefined),
    ...bridgeOf(host, oldHost, cluster, before !== undefined),
    facts: facts.map((fact) => ({
      ...fact,
      since: oldFacts !== undefined && isChanged(fact, oldFacts)
        ? "new" as const
        : undefined,
    })),
    uplink: {
      name: link,
      text: [link, ...addressesOf(host, link), stateOf(host, link)]
        .filter(Boolean).join(" "),
      up: stateOf(host, link) === "",
    },
  };
}

function isChanged(fact: Fact, old: readonly Fact[]): boolean {
  const same = old.find(({ key }) => key === fact.key);
  return same?.text !== fact.text;
}

/** The link by which a node reaches the others: the one that has its address. */
function uplinkOf({ address }: InventoryNode, { links, routes }: Host): string {
  const own = links.find(({ addresses }) =>
    addresses.some((held) => held.address === address)
  );
  return own?.name ?? routes.find(({ to }) => to === "default")?.dev ?? "eth0";
}

function linkOf({ links }: Host, name: string): InventoryLink | undefined {
  return links.find((link) => link.name === name);
}

function addressesOf(host: Host, name: string): readonly string[] {
  return (linkOf(host, name)?.addresses ?? []).map(
    ({ address, prefixLength }) => `${address}/${prefixLength}`,
  );
}

/** What is wrong with a link; "" where nothing is. */
function stateOf(host: Host, name: string): string {
  const link = linkOf(host, name);
  if (link === undefined) return "gone";
  if (!link.up) return "down";
  return link.carrier ? "" : "no carrier";
}

function bridgeOf(
  host: Host,
  old: Host | undefined,
  { bridge }: Cluster,
  compared: boolean,
): Pick<SceneNode, "bridge"> {
  const link = linkOf(host, bridge);
  const had = old !== undefined && linkOf(old, bridge) !== undefined;
  if (link === undefined) {
    return had
      ? {
        bridge: { lines: [`${bridge} is gone`], wrong: false, since: "gone" },
      }
      : {};
  }
  const state = link.up ? "" : "is down";
  const what = link.kind === "bridge" ? "" : "is no bridge";
  const [first = "has no address", ...more] = addressesOf(host, bridge);
  const wrong = state !== "" || what !== "";
  const sign = wrong ? "✗" : "";
  const words = [sign, bridge, first, state, what].filter(Boolean).join(" ");
  return {
    bridge: {
      lines: [words, ...more],
      wrong,
      since: compared && !had ? "new" : undefined,
    },
  };
}

function outsideLines(
  host: InventoryHost,
  { outside }: Cluster,
): readonly string[] {
  return host.is === "unreachable"
    ? ["outside", "gone"]
    : ["outside", ...outside.addresses, ...outside.gateways];
}
