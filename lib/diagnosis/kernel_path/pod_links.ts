/** Addresses where none should be, and a pod's that is not as ADD gave it. Pure. */
import { familyOf, parseCidr } from "../../net/cidr.ts";
import { tunnelAddress, tunnelLink } from "../../net/vxlan.ts";
import { cmd } from "../../exec/command.ts";
import type { Remedy } from "../remedy.ts";
import {
  mendIn,
  type Obstacle,
  ownerOfPod,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { networkHas } from "../../net/route_match.ts";
import { blockOf, literally, wantedLines } from "./printed.ts";
import type { KernelSurvey, PathLink } from "./survey.ts";

/** What `ip addr show` prints of an address, among the lines of its link. */
function addressLines(
  { parts }: KernelSurvey,
  link: string,
  address: string,
): string {
  const lines = blockOf(
    parts.get("links.text"),
    new RegExp(`^\\d+: ${literally(link)}[@:]`),
  );
  return wantedLines(
    lines,
    (line) => line === lines[0] || line.includes(` ${address}/`),
  ) || `${link} … ${address}`;
}

/** Addresses on pods' veths, and pods' addresses on other links of the node. */
export function addressObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { space, links } = survey;
  return space.pod === undefined
    ? links.flatMap((link) => onNodesLink(link, survey, traffic))
    : links.flatMap((link) => onPodsLink(link, survey, traffic));
}

function onNodesLink(
  link: PathLink,
  survey: KernelSurvey,
  { cluster, bridge, flows, isPort }: Traffic,
): readonly Obstacle[] {
  const { ifname } = link;
  const { space } = survey;
  if (ifname === bridge) return [];
  return link.addr_info.flatMap(({ local, prefixlen, scope }) => {
    // Every link of IPv6 has one of these.
    if (scope === "link" && local.includes(":")) return [];
    const owner = ownerOfPod(cluster, local);
    const port = isPort(ifname);
    if (!port && owner === undefined) return [];
    // A tunnel's end has the one that no pod of its node can have.
    const isEnd = cluster.vxlan !== undefined &&
      owner?.podCIDRs.some((podCIDR) => tunnelAddress(podCIDR) === local);
    if (isEnd && ifname === tunnelLink && owner?.name === space.node) return [];
    const takes = isEnd && owner?.name !== space.node ||
      flows.some(({ destination }) => destination === local);
    return [{
      kind: port ? "veth" as const : "address" as const,
      is: takes ? "loses" as const : "may lose" as const,
      space,
      what: `${ifname} of ${spaceName(space)} has the address ` +
        `${local}/${prefixlen}` +
        (owner === undefined
          ? ""
          : isEnd
          ? `, of the end of the tunnels on ${owner.name}`
          : `, of the pods of ${owner.name}`) +
        (port ? ", and is a pod's veth" : ""),
      evidence: [
        shownIn(
          space,
          cmd`ip addr show dev ${ifname}`,
          addressLines(survey, ifname, local),
        ),
      ],
      remedies: [
        mendIn(space, cmd`ip addr del ${local}/${prefixlen} dev ${ifname}`),
        ...(port ? [keepOff] : []),
      ],
    }];
  });
}

/** What gave a veth its address gives it again. */
const keepOff: Remedy = {
  say: "tell what configures links there (a DHCP client, systemd-networkd, " +
    "NetworkManager) to leave veth* alone",
};

/** A pod that takes other nodes' pods, or too few of its own node's, for its neighbours. */
function onPodsLink(
  { ifname, addr_info }: PathLink,
  survey: KernelSurvey,
  { cluster: { nodes } }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  const podCIDRs = nodes.find(({ name }) => name === space.node)?.podCIDRs ??
    [];
  return addr_info.flatMap(({ local, prefixlen, scope }) => {
    const own = podCIDRs.find((podCIDR) =>
      familyOf(podCIDR) === familyOf(local) && networkHas(podCIDR, local)
    );
    const wanted = own === undefined ? undefined : parseCidr(own).prefixLength;
    if (wanted === undefined || wanted === prefixlen || scope === "link") {
      return [];
    }
    return [{
      kind: "pod-address" as const,
      is: "loses" as const,
      space,
      what: `${spaceName(space)} has ${local}/${prefixlen}, and its podCIDR ` +
        `is ${own}: it ` +
        (prefixlen < wanted
          ? "asks its own link for what is elsewhere"
          : "does not take all of its node's pods for neighbours"),
      evidence: [
        shownIn(
          space,
          cmd`ip addr show dev ${ifname}`,
          addressLines(survey, ifname, local),
        ),
      ],
      remedies: [
        mendIn(space, cmd`ip addr add ${local}/${wanted} dev ${ifname}`),
        mendIn(space, cmd`ip addr del ${local}/${prefixlen} dev ${ifname}`),
      ],
    }];
  });
}
