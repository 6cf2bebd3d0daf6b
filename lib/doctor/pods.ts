/** The doctor's checks of pods that live: that they are plugged in, and hold their leases. Pure. */
import { someNames } from "../text/some_names.ts";
import { vethAlias } from "../../plugin/veth.ts";
import { vethsWithoutLease } from "../inventory/pod_claims.ts";
import { cmd, type Command } from "../exec/command.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
} from "./check.ts";
import { onNode } from "../diagnosis/remedy.ts";
import {
  cutOff,
  plugIn,
  podBehind,
  wantsHairpin,
} from "../inventory/pod_veths.ts";
import type {
  Host,
  InventoryLink,
  InventoryPod,
} from "../inventory/inventory.ts";
import { mark } from "../net/mark.ts";
import {
  fullPodName,
  podAddressesCommand,
  podsAnew,
} from "../verify/pod_remedy.ts";

/** As many links are shown. */
const few = 3;

const cutOffPods: Check = {
  name: "cut-off-pods",
  well: "every pod that lives is plugged into the bridge",
  read(context) {
    const { cluster: { bridge }, host, node } = context;
    const cut = cutOff(host.links, bridge);
    if (cut.length === 0) return [];
    const names = cut.map(({ link, how }) =>
      `${podBehind(link, host)} (${link.name} ${how})`
    );
    const hairpin = wantsHairpin(host);
    const [first] = cut;
    const isOne = first !== undefined && cut.length === 1;
    const hasBridge = host.links.some(({ name }) => name === bridge);
    return [{
      is: "fault",
      what: isOne
        ? `${first.link.name}, the host veth of pod ` +
          `${podBehind(first.link, host)} on ${node.name}, ${first.how}`
        : `${cut.length} pods are cut off: ${someNames(names)}`,
      evidence: cut.slice(0, few).map(({ link }) =>
        shownBy(context, cmd`ip -d link show dev ${link.name}`)
      ),
      remedies: [
        ...(hasBridge
          ? []
          : [{ stage: "04-bridge", node: node.name } as const]),
        ...(isOne
          ? plugLines(first.link.name, bridge, hairpin)
          : [plugIn(cut, bridge, hairpin)])
          .map((command) => onNode(node.name, command)),
      ],
    }];
  },
};

/** What plugs one veth in, as a person types it. */
function plugLines(
  veth: string,
  bridge: string,
  hairpin: boolean,
): readonly Command[] {
  const port = cmd`ip link set dev ${veth} type bridge_slave hairpin on`;
  return [
    cmd`ip link set dev ${veth} master ${bridge} up`,
    ...(hairpin ? [port] : []),
  ];
}

const unleasedPods: Check = {
  name: "unleased-pods",
  well: "every pod that lives holds the lease of its address",
  read: (context) => [...withoutLease(context), ...otherAddress(context)],
};

/** Host veths of our network whose attachments have no lease at all. */
function withoutLease(context: CheckContext): readonly Finding[] {
  const { host, node, cluster } = context;
  const bare = vethsWithoutLease(host);
  if (bare.length === 0) return [];
  const names = bare.map((link) => {
    const pod = podOf(link, host);
    return pod === undefined ? podBehind(link, host) : fullPodName(pod);
  });
  return [{
    is: "warning",
    what: bare.length === 1
      ? `the pod ${names[0]} has no lease: its address may be given to another`
      : `${bare.length} pods have no lease, and their addresses may be given ` +
        `to others: ${someNames(names)}`,
    evidence: bare.slice(0, few).map(({ name }) =>
      shownBy(context, cmd`ip link show dev ${name}`)
    ),
    remedies: podsAnew(
      cluster,
      node.name,
      bare.flatMap((link) => podOf(link, host) ?? []),
      bare.flatMap((link) =>
        podOf(link, host) === undefined ? podBehind(link, host) : []
      ),
    ),
  }];
}

/** Pods whose leases are of other addresses than they have. */
function otherAddress(context: CheckContext): readonly Finding[] {
  const { host, node, cluster } = context;
  return host.leases.filter(({ network }) => network === mark)
    .flatMap((lease): readonly Finding[] => {
      const pod = host.pods.find(({ hostLink }) =>
        hostLink?.alias === vethAlias(lease)
      );
      const held = (pod?.addresses ?? []).map(({ address }) => address);
      if (pod === undefined || held.includes(lease.address)) return [];
      return [{
        is: "warning",
        what:
          `the pod ${
            fullPodName(pod)
          } has the lease of ${lease.address}, and ` +
          `${
            held.length === 0 ? "no address" : held.join(", ")
          } in its network ` +
          "namespace",
        evidence: [
          shownBy(context, cmd`cat ${lease.path}`),
          shownBy(context, podAddressesCommand(pod)),
        ],
        remedies: podsAnew(cluster, node.name, [pod]),
      }];
    });
}

/** The pod behind a veth, where its network namespace has a name. */
function podOf(
  { name }: InventoryLink,
  { pods }: Host,
): InventoryPod | undefined {
  return pods.find(({ hostLink }) => hostLink?.name === name);
}

export const podChecks: readonly Check[] = [cutOffPods, unleasedPods];
