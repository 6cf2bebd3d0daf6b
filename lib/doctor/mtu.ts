/** The doctor's check of how much a node's links take. Pure. */
import { familiesOf } from "../cluster/address_family.ts";
import { segmentAt } from "../cluster/segments.ts";
import { type Family, gateway } from "../net/cidr.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
import type { Asked } from "../node/batch.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
  unclear,
  uplinkOf,
} from "./check.ts";
import { evidence } from "../diagnosis/evidence.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { isTunnel, type WayOut, waysOut } from "../diagnosis/ways.ts";
import type { InventoryLink, InventoryNode } from "../inventory/inventory.ts";
import { podsAnew } from "../verify/pod_remedy.ts";

export const mtuCheck: Check = {
  name: "mtu",
  well:
    "the ways out and to the other nodes take what pods send at full length",
  asks: ({ cluster }) =>
    familiesOf(cluster).includes(6) ? [ofIPv6(cluster.bridge)] : [],
  read(context, [asked]) {
    const { node, host } = context;
    const hasIPv6 = familiesOf(context.cluster).includes(6);
    if (hasIPv6 && (asked === undefined || !succeeded(asked.outcome))) {
      return [unclear("how much of its links IPv6 takes", asked)];
    }
    const uplink = uplinkOf(host, node.addresses);
    if (uplink === undefined) {
      return [{
        is: "unknown",
        what: `no link has the node's address ${node.address}`,
        evidence: [],
      }];
    }
    const narrowest = [...waysOf(context, asked), {
      device: uplink.name,
      mtu: uplink.mtu,
    }].toSorted((one, other) => one.mtu - other.mtu)[0];
    const pods = tooWide(context, narrowest, asked);
    return pods.length > 0 ? pods : narrowerThanOthers(context, uplink);
  },
};

/**
 * Asks how much of each link IPv6 takes, of which a router advertisement may leave
 * it less than the link does (RFC 4861, 6.3.4).
 */
function ofIPv6(bridge: string): Command {
  const script =
    "cd /proc/sys/net/ipv6/conf && for link in *; do case $link in " +
    'all | default | veth* | "$1") ;; *) echo "$link $(cat "$link/mtu")" ;; esac; done';
  return {
    ...cmd`sh -c ${script} mtu ${bridge}`,
    label: "sysctl -a -r 'net.ipv6.conf.*.mtu$'",
  };
}

/** The links of a node as a family has them. */
function linksOf(
  { links }: CheckContext["host"],
  family: Family,
  asked: Asked | undefined,
): readonly Pick<InventoryLink, "name" | "mtu">[] {
  if (family === 4 || asked === undefined) return links;
  const told = new Map(
    asked.outcome.stdout.split("\n").map((line) => {
      const [name = "", mtu] = line.split(" ");
      return [name, Number(mtu)];
    }),
  );
  return links.map(({ name, mtu }) => ({
    name,
    mtu: Math.min(mtu, told.get(name) || mtu),
  }));
}

function waysOf(
  context: CheckContext,
  asked: Asked | undefined,
): readonly WayOut[] {
  const { host, node } = context;
  return byFamily(context).flatMap(({ family, cluster }) =>
    waysOut(
      host.routes.filter((route) =>
        route.family === family && route.type === undefined
      ).map(({ to, dev, mtu }) => ({
        dst: to,
        ...(dev === undefined ? {} : { dev }),
        ...(mtu === undefined ? {} : { mtu }),
      })),
      linksOf(host, family, asked),
      // To their pods, a tunnel may lead, which takes less.
      cluster.nodes.filter(({ name }) => name !== node.name)
        .flatMap(({ addresses, podCIDRs }) => [
          ...addresses,
          ...podCIDRs.map((podCIDR) => gateway(podCIDR).replace(/\/.*/, "")),
        ]),
    )
  );
}

const ask = (name: string) => cmd`ip link show dev ${name}`;

/** Pods that send more than the narrowest way takes. */
function tooWide(
  context: CheckContext,
  way: WayOut | undefined,
  asked: Asked | undefined,
): readonly Finding[] {
  const { cluster, host, node } = context;
  if (way === undefined) return [];
  const pods = host.pods.flatMap((pod) =>
    pod.links.filter(({ mtu }) => mtu > way.mtu).map((link) => ({ pod, link }))
  );
  const [first] = pods;
  if (first === undefined) return [];
  const link = host.links.find(({ name }) => name === way.device);
  const isLess = link !== undefined && link.mtu > way.mtu;
  const told = linksOf(host, 6, asked).find(({ name }) => name === way.device);
  const byRouter = isLess && told?.mtu === way.mtu ? asked : undefined;
  const byRoute = isLess && byRouter === undefined;
  const raise = isLess ? [] : raised(context, link);
  return [{
    is: "fault",
    what: `${pods.length === 1 ? "a pod sends" : `${pods.length} pods send`} ` +
      `packets of up to ${first.link.mtu} bytes, and ` +
      (byRoute ? "a route by " : byRouter ? "IPv6 on " : "") +
      `${way.device} takes ${way.mtu}: long ones that must not be cut are lost`,
    evidence: [
      byRouter === undefined
        ? shownBy(context, byRoute ? cmd`ip route` : ask(way.device))
        : evidence(byRouter, `net.ipv6.conf.${way.device}.mtu = ${way.mtu}`),
      shownBy(
        context,
        cmd`nsenter --net=/run/netns/${first.pod.name} ${
          ask(first.link.name).argv
        }`,
      ),
    ],
    remedies: raise.length > 0 ? raise : [
      ...(cluster.mtu === undefined || cluster.mtu <= way.mtu
        ? []
        : [{ say: `write mtu: ${way.mtu} into ${cluster.file}` }]),
      makeStage("03-cni-config", node.name),
      ...podsAnew(cluster, node.name, pods.map(({ pod }) => pod)),
    ],
  }];
}

/** The links of the other nodes of this one's segment that can be asked, to this one. */
function uplinksOfOthers(
  { cluster, nodes, node }: CheckContext,
): readonly { readonly other: InventoryNode; readonly link: InventoryLink }[] {
  return nodes.flatMap((other) => {
    if (other.name === node.name || other.host.is !== "read") return [];
    // Of other segments, the router says what they take, and tunnels take the least.
    const isNear = cluster.segments === undefined ||
      segmentAt(cluster, other.address) === segmentAt(cluster, node.address);
    if (!isNear) return [];
    const link = uplinkOf(other.host, [other.address]);
    return link === undefined ? [] : [{ other, link }];
  });
}

/**
 * Sets the link to what all others take. Where only some of them take more,
 * or it is a tunnel, that would lose what it is to carry.
 */
function raised(
  context: CheckContext,
  link: InventoryLink | undefined,
): readonly Remedy[] {
  const { node, host } = context;
  const others = uplinksOfOthers(context).map(({ link }) => link.mtu);
  const least = Math.min(...others);
  if (
    link === undefined || others.length === 0 || least <= link.mtu ||
    isTunnel(link.kind) || link.name !== uplinkOf(host, node.addresses)?.name
  ) return [];
  return [onNode(node.name, cmd`ip link set dev ${link.name} mtu ${least}`)];
}

/** A link that takes less than those of other nodes, whose pods send it too much. */
function narrowerThanOthers(
  context: CheckContext,
  uplink: InventoryLink,
): readonly Finding[] {
  const { cluster, node } = context;
  const named = cluster.segments?.[segmentAt(cluster, node.address)];
  const { mtu: wanted = 1500 } = named ?? {};
  if (named !== undefined && uplink.mtu < wanted) {
    return [{
      is: "warning",
      what:
        `${uplink.name} takes ${uplink.mtu} bytes, its segment ${wanted}: ` +
        "what comes from there at full length may be lost",
      evidence: [shownBy(context, ask(uplink.name))],
      remedies: [
        onNode(node.name, cmd`ip link set dev ${uplink.name} mtu ${wanted}`),
      ],
    }];
  }
  const wider = uplinksOfOthers(context)
    .filter(({ link }) => link.mtu > uplink.mtu);
  const [first] = wider;
  if (first === undefined) return [];
  const raise = raised(context, uplink);
  const widest = Math.max(...wider.map(({ link }) => link.mtu));
  return [{
    is: "warning",
    what:
      `${uplink.name} takes ${uplink.mtu} bytes, another node's link ${widest}: ` +
      "what comes from there at full length may be lost",
    evidence: [shownBy(context, ask(uplink.name))],
    remedies: raise.length > 0 ? raise : wider.flatMap(({ other, link }) => [
      onNode(
        other.name,
        cmd`ip link set dev ${link.name} mtu ${uplink.mtu}`,
      ),
      ...(other.host.is === "read"
        ? podsAnew(context.cluster, other.name, other.host.pods)
        : []),
    ]),
  }];
}
