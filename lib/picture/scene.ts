/** What there is to draw of a cluster, and what is new of it. Pure. */
import { routerName, segmentAt, segmentsOf } from "../cluster/segments.ts";
import { bridgeName } from "../lab/names.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type {
  Host,
  Inventory,
  InventoryHost,
  InventoryLink,
  InventoryNode,
  InventoryPod,
} from "../inventory/inventory.ts";
import { calledName } from "../net/ip_json.ts";
import { allFacts, type Fact } from "./node_facts.ts";

/** Since the picture before: there now and not then, or the other way round. */
export type Since = "new" | "gone" | undefined;

/** A cluster as it is drawn. */
export interface PictureScene {
  readonly nodes: readonly SceneNode[];
  readonly outside?: { readonly lines: readonly string[] };
  /** The segments, that of the outside host first. */
  readonly segments: readonly SceneSegment[];
  /** The router between them, where there are several. */
  readonly router?: { readonly lines: readonly string[] };
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
  /** Whether it has its end of tunnels to nodes of other segments. */
  readonly tunnelled: boolean;
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

/** A pod as it is drawn. */
export interface ScenePod {
  readonly name: string;
  readonly lines: readonly string[];
  /** Why it is not plugged in, or undefined. */
  readonly unplugged?: string;
  readonly since: Since;
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
  return {
    nodes: now.nodes.map((node) => {
      const old = before?.nodes.find(({ name }) => name === node.name);
      return sceneNode(
        node,
        cluster,
        now,
        before === undefined ? undefined : {
          inventory: before,
          node: old,
        },
      );
    }),
    segments: segmentsOf(cluster).map(({ cidrs }, at) => ({
      name: bridgeName(at),
      cidrs,
    })),
    ...routerOf(cluster),
    ...(now.outside === undefined
      ? {}
      : { outside: { lines: outsideLines(now.outside, cluster) } }),
  };
}

function routerOf(
  { segments, vxlan }: Cluster,
): Pick<PictureScene, "router"> {
  if (segments === undefined) return {};
  return {
    router: {
      lines: [
        routerName,
        ...segments.map(({ router }) => router.join(" ")),
        ...(vxlan === undefined
          ? []
          : [`- - tunnels: VXLAN ${vxlan.vni}, UDP port ${vxlan.port}`]),
      ],
    },
  };
}

interface Before {
  readonly inventory: Inventory;
  readonly node: InventoryNode | undefined;
}

function sceneNode(
  node: InventoryNode,
  cluster: Cluster,
  now: Inventory,
  before: Before | undefined,
): SceneNode {
  const { host } = node;
  const title = node.role === "control-plane" ? "control plane" : "worker";
  const base = {
    name: node.name,
    title,
    segment: segmentAt(cluster, node.address),
    tunnelled: host.is === "read" && cluster.vxlan !== undefined &&
      linkOf(host, tunnelLink)?.up === true,
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
  const facts = allFacts(node, host, cluster, now, link);
  const oldFacts = old === undefined || oldHost === undefined
    ? undefined
    : allFacts(old, oldHost, cluster, before?.inventory ?? now, link);
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

function podsOf(
  host: Host,
  old: Host | undefined,
  cluster: Cluster,
  compared: boolean,
): readonly ScenePod[] {
  const names = new Set(host.pods.map(({ name }) => name));
  const oldNames = new Set(old?.pods.map(({ name }) => name));
  const gone = (old?.pods ?? []).filter(({ name }) => !names.has(name));
  return [
    ...host.pods.map((pod): ScenePod => {
      const unplugged = whyUnplugged(pod, cluster);
      return {
        name: calledName(pod),
        lines: pod.addresses.map(({ address }) => address),
        ...(unplugged === undefined ? {} : { unplugged }),
        since: compared && !oldNames.has(pod.name) ? "new" : undefined,
      };
    }).toSorted((a, b) => natural.compare(a.name, b.name)),
    ...gone.map((pod): ScenePod => ({
      name: calledName(pod),
      lines: pod.addresses.map(({ address }) => address),
      since: "gone",
    })),
  ];
}

/** Numbers in names by what they count: app-2 before app-10. */
const natural = new Intl.Collator("en", { numeric: true });

function whyUnplugged(
  { links, hostLink }: InventoryPod,
  { bridge }: Cluster,
): string | undefined {
  const eth0 = links.find(({ name }) => name === "eth0");
  if (eth0 === undefined) return "has no eth0";
  if (hostLink === undefined) return "no host veth";
  if (hostLink.master !== bridge) return `not on ${bridge}`;
  if (!hostLink.up) return "host veth down";
  return eth0.up ? undefined : "eth0 is down";
}

function outsideLines(
  host: InventoryHost,
  { outside }: Cluster,
): readonly string[] {
  return host.is === "unreachable"
    ? ["outside", "gone"]
    : ["outside", ...outside.addresses, ...outside.gateways];
}
