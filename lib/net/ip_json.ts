/** A machine's links, routes and pods, read from what `ip -j` printed. Pure. */

import type { Family } from "./cidr.ts";

/** A link. */
export interface InventoryLink {
  readonly name: string;
  readonly index: number;
  /** "bridge", "veth", …; none for a plain one. */
  readonly kind?: string;
  /** Whether it was set up. */
  readonly up: boolean;
  /** Whether there is something at its other end; a bridge has it by a port that is up. */
  readonly carrier: boolean;
  readonly mtu: number;
  /** Its MAC address. */
  readonly mac?: string;
  readonly addresses: readonly HeldAddress[];
  /** The bridge that it is a port of. */
  readonly master?: string;
  readonly alias?: string;
  /** The index of its other end, which may be in another namespace. */
  readonly peerIndex?: number;
}

/** An address of a link, without link-local ones of IPv6. */
interface HeldAddress {
  readonly address: string;
  readonly prefixLength: number;
}

/** A route of the main table; one by several next hops is a route for each. */
export interface InventoryRoute {
  readonly family: Family;
  /** Of one that leads nowhere: "unreachable", "blackhole", … */
  readonly type?: string;
  /** "default" or a network. */
  readonly to: string;
  readonly via?: string;
  readonly dev?: string;
  /** "kernel", "244" (ours), "static", … */
  readonly protocol?: string;
  /** What packets by it may have, where that is less than its device takes. */
  readonly mtu?: number;
  /** How many next hops share the packets by it, where there are several. */
  readonly hops?: number;
  /** Of one that goes by a next hop object (ip-nexthop(8)): the object's number. */
  readonly nhid?: number;
}

/** A named network namespace, and what of it concerns the pod network. */
export interface InventoryPod {
  /** The namespace's, under /run/netns. */
  readonly name: string;
  /** What Kubernetes calls the pod, where one of its is in there. */
  readonly kubernetesName?: string;
  /** The namespace of Kubernetes that it is in there. */
  readonly kubernetesNamespace?: string;
  /** Its links, without lo. */
  readonly links: readonly InventoryLink[];
  /** All addresses of them. */
  readonly addresses: readonly HeldAddress[];
  /** Its default routes' gateways, one a family. */
  readonly gateways: readonly string[];
  /** The host veth that eth0 is joined to; none where it is plugged in nowhere. */
  readonly hostLink?: InventoryLink;
}

/** As `ip -j -d addr` gives a link (ip-link(8)); what is absent is left out. */
interface IpLink {
  readonly ifname: string;
  readonly ifindex: number;
  readonly flags: readonly string[];
  readonly mtu: number;
  readonly address?: string;
  readonly master?: string;
  readonly ifalias?: string;
  readonly link_index?: number;
  readonly linkinfo?: { readonly info_kind?: string };
  readonly addr_info?: readonly {
    readonly local?: string;
    readonly prefixlen: number;
    readonly scope: string;
  }[];
}

/** As `ip -j route` gives a route (ip-route(8)). */
interface IpRoute extends IpNextHop {
  readonly type?: string;
  readonly dst: string;
  readonly protocol?: string;
  readonly metrics?: readonly { readonly mtu?: number }[];
  readonly nhid?: number;
  readonly nexthops?: readonly IpNextHop[];
}

interface IpNextHop {
  readonly gateway?: string;
  /** A next hop of the other family. */
  readonly via?: { readonly host?: string };
  readonly dev?: string;
}

/** Reads what `ip -j -d addr` printed. */
export function readLinks(text: string): readonly InventoryLink[] {
  return readList<IpLink>(text).map((link) => {
    const { ifname, ifindex, flags, mtu } = link;
    const { address, master, ifalias, link_index, linkinfo } = link;
    return {
      name: ifname,
      index: ifindex,
      ...(linkinfo?.info_kind === undefined
        ? {}
        : { kind: linkinfo.info_kind }),
      up: flags.includes("UP"),
      carrier: flags.includes("LOWER_UP"),
      mtu,
      ...(address === undefined ? {} : { mac: address }),
      addresses: (link.addr_info ?? []).flatMap(
        ({ local, prefixlen, scope }) =>
          local === undefined || (scope === "link" && local.includes(":"))
            ? []
            : [{ address: local, prefixLength: prefixlen }],
      ),
      ...(master === undefined ? {} : { master }),
      ...(ifalias === undefined ? {} : { alias: ifalias }),
      ...(link_index === undefined ? {} : { peerIndex: link_index }),
    };
  });
}

/** Reads what `ip -j route` printed, without what the kernel keeps for itself. */
export function readRoutes(
  text: string,
  family: Family,
): readonly InventoryRoute[] {
  return readList<IpRoute>(text)
    .filter(({ dst }) => !/^(fe80|ff00|multicast)/.test(dst))
    .flatMap(({ nexthops, ...route }) =>
      (nexthops ?? [{}]).map((hop) => ({
        ...route,
        ...hop,
        hops: nexthops?.length ?? 1,
      }))
    )
    .map((route) => {
      const { type, dst, gateway, via = {}, dev, protocol } = route;
      const { metrics = [], nhid, hops } = route;
      const next = gateway ?? via.host;
      const mtu = metrics.find(({ mtu }) => mtu !== undefined)?.mtu;
      return {
        family,
        ...(type === undefined || type === "unicast" ? {} : { type }),
        to: dst,
        ...(next === undefined ? {} : { via: next }),
        ...(dev === undefined ? {} : { dev }),
        ...(protocol === undefined ? {} : { protocol }),
        ...(mtu === undefined ? {} : { mtu }),
        ...(nhid === undefined ? {} : { nhid }),
        ...(hops === 1 ? {} : { hops }),
      };
    });
}

/** What to call a pod to a person. */
export function calledName(
  { name, kubernetesName }: Pick<InventoryPod, "name" | "kubernetesName">,
): string {
  return kubernetesName ?? name;
}

/**
 * A pod of what its network namespace has.
 *
 * @param hostLinks of its node, among which its other end is
 * @param kubernetes its name and namespace there, as libcni remembers them
 */
export function podOf(
  name: string,
  { links: all, routes }: {
    readonly links: readonly InventoryLink[];
    readonly routes: readonly InventoryRoute[];
  },
  hostLinks: readonly InventoryLink[],
  kubernetes: {
    readonly name?: string | undefined;
    readonly namespace?: string | undefined;
  } = {},
): InventoryPod {
  const links = all.filter(({ name }) => name !== "lo");
  const eth0 = links.find(({ name }) => name === "eth0");
  // Indices are each namespace's own: both ends must name each other.
  const hostLink = eth0 &&
    hostLinks.find(({ index, peerIndex, kind }) =>
      kind === "veth" && index === eth0.peerIndex && peerIndex === eth0.index
    );
  return {
    name,
    ...(kubernetes.name === undefined
      ? {}
      : { kubernetesName: kubernetes.name }),
    ...(kubernetes.namespace === undefined
      ? {}
      : { kubernetesNamespace: kubernetes.namespace }),
    links,
    addresses: links.flatMap(({ addresses }) => addresses),
    gateways: routes.flatMap(({ to, via }) =>
      to === "default" && via !== undefined ? [via] : []
    ),
    ...(hostLink === undefined ? {} : { hostLink }),
  };
}

/**
 * Reads a list that `ip -j` printed. Names and aliases are as a user of the
 * machine gave them, and iproute2 quotes them badly: control characters stand
 * in them as they are, and some versions put a backslash before "'".
 *
 * @returns its elements; undefined where it is no list
 */
export function parseIpList<Element>(
  text: string,
): readonly Element[] | undefined {
  const value = parseJson(text) ?? parseJson(mended(text));
  // iproute2 gives `[{}]` for a link of another kind than asked for.
  return Array.isArray(value)
    ? value.filter((one) =>
      typeof one === "object" && one !== null && Object.keys(one).length > 0
    )
    : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.trim() || "[]");
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** With what is quoted as JSON wants it; most lists need none of that. */
function mended(text: string): string {
  return text.replace(
    /"(?:[^"\\]|\\.)*"/gs,
    (string) =>
      string.replaceAll("\\'", "'").replace(
        // deno-lint-ignore no-control-regex
        /[\0-\x1f]/g,
        (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`,
      ),
  );
}

/** The same; what is no list has no elements. */
export function readList<Element>(text: string): readonly Element[] {
  return parseIpList<Element>(text) ?? [];
}
