/** What can be wrong with a pod's link, address and route, read from the evidence. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { ifname } from "../cni/runtime.ts";
import { cmd } from "../exec/command.ts";
import { listed } from "../node/batch.ts";
import type { Cause } from "./cause.ts";
import {
  evidence,
  isSetUp,
  linkNamed,
  linkPart,
  type NodeFacts,
  type PodFacts,
  type RouteFacts,
} from "./evidence.ts";
import { newPods, onNode } from "./remedy.ts";

/**
 * Is the pod plugged in, with its address and, where the path needs it, its
 * default route?
 */
export function podFault(
  facts: NodeFacts,
  pod: string,
  cluster: Cluster,
  needsRoute: boolean,
): Cause | undefined {
  const found = facts.pods.find((facts) => facts.pod === pod);
  if (found === undefined) return undefined;
  return podLinkFault(facts, found, cluster) ??
    podInsideFault(facts, found, needsRoute);
}

function podLinkFault(
  facts: NodeFacts,
  { pod, result, links: inside }: PodFacts,
  { bridge }: Cluster,
): Cause | undefined {
  const { node, links } = facts;
  const cause = { kind: "pod-link", on: node.name } as const;
  const name = `pod ${pod} on ${node.name}`;
  const own = linkNamed(inside, ifname);
  const veth = result.hostLinks.find((name) => name !== bridge);
  const hostEnd = veth === undefined ? undefined : linkNamed(links, veth);
  if (own === undefined || (veth !== undefined && hostEnd === undefined)) {
    return {
      ...cause,
      what: `${ifname} of ${name} is gone` +
        (veth === undefined ? "" : `, and so is its host veth ${veth}`),
      evidence: [evidence(inside)],
      remedies: newPods(node.name),
    };
  }
  if (hostEnd === undefined) return undefined;
  const mendLink = (...what: readonly string[]) => [
    onNode(node.name, cmd`ip link set dev ${hostEnd.ifname} ${what}`),
  ];
  if (hostEnd.master !== bridge) {
    return {
      ...cause,
      what: `${hostEnd.ifname}, the host veth of ${name}, is not plugged ` +
        `into ${bridge}`,
      evidence: [evidence(links, linkPart(hostEnd))],
      remedies: [
        ...mendLink("master", bridge),
        ...(turnsBack(facts, bridge)
          ? mendLink("type", "bridge_slave", "hairpin", "on")
          : []),
      ],
    };
  }
  if (!isSetUp(hostEnd)) {
    return {
      ...cause,
      what: `${hostEnd.ifname}, the host veth of ${name}, is down`,
      evidence: [evidence(links, linkPart(hostEnd))],
      remedies: mendLink("up"),
    };
  }
  if (isSetUp(own)) return undefined;
  return {
    ...cause,
    what: `${ifname} of ${name} is down; its routes went with it`,
    evidence: [evidence(inside, linkPart(own))],
    remedies: newPods(node.name),
  };
}

/** Whether ports send a frame back where it came from: pods reach themselves by it. */
function turnsBack({ kernel }: NodeFacts, bridge: string): boolean {
  return kernel.some(({ links }) =>
    links.some(({ master, linkinfo }) =>
      master === bridge && linkinfo?.info_slave_data?.hairpin === true
    )
  );
}

function podInsideFault(
  { node }: NodeFacts,
  { pod, result, links, routes }: PodFacts,
  needsRoute: boolean,
): Cause | undefined {
  const own = linkNamed(links, ifname);
  const name = `pod ${pod} on ${node.name}`;
  if (
    own !== undefined &&
    !own.addr_info.some(({ local }) => local === result.address)
  ) {
    return {
      kind: "pod-address",
      on: node.name,
      what: `${name} lost its address ${result.address}`,
      evidence: [evidence(links, linkPart(own))],
      remedies: newPods(node.name),
    };
  }
  const hasDefault = listed<RouteFacts>(routes)
    .some(({ dst }) => dst === "default");
  if (!needsRoute || hasDefault) return undefined;
  return {
    kind: "pod-route",
    on: node.name,
    what: `${name} has no default route`,
    evidence: [evidence(routes)],
    remedies: newPods(node.name),
  };
}
