import { makeLine } from "../cluster/make_line.ts";
import { vethAlias } from "../../plugin/veth.ts";
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
  unclear,
} from "./check.ts";
import { onNode, type Remedy } from "../diagnosis/remedy.ts";
import { usesKubeadm } from "../kubernetes/kubeconfig.ts";
import { mark } from "../net/mark.ts";
import {
  capacity,
  leasesIn,
  releaseCommand,
  staleLeases,
} from "../inventory/lease_use.ts";

/** Full from here on, in percent. */
const nearly = 90;

/** How many leases a folder has: their names are addresses. */
const countScript = `ls "$1" | grep -c '^[0-9a-f]*[.:]'`;

const addressesLeft: Check = {
  name: "addresses-left",
  well: "there are addresses left for more pods",
  read: (context) =>
    byFamily(context).flatMap(({ podCIDR }): readonly Finding[] => {
      if (podCIDR === undefined) {
        const what = "no podCIDR is known";
        return [{ is: "not yet", what, until: "02-kubeadm" }];
      }
      const room = capacity(podCIDR);
      const taken = BigInt(leasesIn(context.host, podCIDR).length);
      if (taken * 100n < room * BigInt(nearly)) return [];
      const stale = staleLeases(context.host);
      const folder = stale[0]?.path.replace(/\/[^/]*$/, "") ??
        `/run/deno-cni/networks/${mark}`;
      return [{
        is: taken >= room ? "fault" : "warning",
        what: `${taken} of ${room} addresses of ${podCIDR} are taken` +
          (taken >= room ? ": no further pod can start" : ""),
        evidence: [
          shownBy(context, cmd`sh -c ${countScript} count ${folder}`),
        ],
        remedies: stale.length > 0
          ? [{
            say:
              `${
                makeLine("doctor", context.cluster)
              } names ${stale.length} leases without a pod, and ` +
              "how to release them",
          }]
          : [moreRoom(context)],
      }];
    }),
};

/** What a node runs on is known: a lab has no scheduler to move pods elsewhere. */
function moreRoom({ cluster, node }: CheckContext): Remedy {
  return {
    say: usesKubeadm(cluster)
      ? `have ${node.name} run fewer pods (kubectl drain ${node.name} moves ` +
        "them); a podCIDR keeps its size as long as its node"
      : `end pods there, or make the lab anew (${
        makeLine("down", cluster)
      }, then ${
        makeLine("up", cluster)
      }) with a shorter nodeMask in ${cluster.file}`,
  };
}

const leakedLeases: Check = {
  name: "leaked-leases",
  well: "every lease has its pod",
  read: (context) => {
    const stale = staleLeases(context.host);
    if (stale.length === 0) return [];
    return [{
      is: "warning",
      what: `${count(stale.length, "lease")} without a pod: no veth and no ` +
        "network namespace is theirs, as when a DEL never came",
      evidence: stale.slice(0, few).map(({ path }) =>
        shownBy(context, cmd`cat ${path}`)
      ),
      remedies: [onNode(
        context.node.name,
        releaseCommand(stale.map(({ path }) => path)),
      )],
    }];
  },
};

/** As many are shown. */
const few = 3;

const count = (number: number, what: string) =>
  `${number} ${what}${number === 1 ? "" : "s"}`;

const brokenLeases: Check = {
  name: "broken-leases",
  well: "every lease names an attachment",
  read: (context) => {
    const { brokenLeases } = context.host;
    if (brokenLeases.length === 0) return [];
    return [{
      is: "warning",
      what: `${count(brokenLeases.length, "lease")} without an attachment's ` +
        "name: nobody will release them",
      evidence: brokenLeases.slice(0, few).map(({ path }) =>
        shownBy(context, cmd`cat ${path}`)
      ),
      remedies: [onNode(
        context.node.name,
        releaseCommand(brokenLeases.map(({ path }) => path)),
      )],
    }];
  },
};

const leftoverVeths: Check = {
  name: "leftover-veths",
  well: "every port of the bridge is a pod's",
  read: (context) => {
    const { cluster, host, node } = context;
    const leased = new Set(host.leases.map(vethAlias));
    const ports = host.links.filter(({ master }) => master === cluster.bridge);
    const others = host.leases.some(({ network }) => network !== mark);
    return ports.flatMap((link): readonly Finding[] => {
      const { name, kind, peerIndex, addresses, alias = "" } = link;
      // ip(8) gives an index for an other end in another namespace alone.
      const isHere = kind === "veth" && peerIndex === undefined;
      // A veth of ours goes with its pod's network namespace, also one without a name.
      const isPods = alias.startsWith(`${mark} `) || leased.has(alias) ||
        host.pods.some(({ hostLink }) => hostLink?.name === name) ||
        others || kind !== "veth";
      if (isPods && !isHere) return [];
      return [{
        is: "warning",
        what: `${name} is a port of ${cluster.bridge} ` +
          (isHere
            ? "whose other end is on the node itself"
            : "that no pod of ours is behind"),
        evidence: [shownBy(context, cmd`ip link show dev ${name}`)],
        // One with an address may be what the node itself is reached by.
        remedies: [onNode(
          node.name,
          addresses.length > 0
            ? cmd`ip link set dev ${name} nomaster`
            : cmd`ip link del dev ${name}`,
        )],
      }];
    });
  },
};

/**
 * Where leases, journal and configuration are; a folder that is not there yet
 * will be made in its parent.
 */
const storeScript = `for at; do
  while [ ! -e "$at" ]; do at=\${at%/*}; at=\${at:-/}; done
  shift; set -- "$@" "$at"
done
{
  df -Pk "$@" | sed -n '2,$s|^|blocks |p'
  df -Pi "$@" | sed -n '2,$s|^|inodes |p'
} | sort -u`;

/** Too little for a lease and its index, in blocks of 1024 bytes or in inodes. */
const least = 16;

const disk: Check = {
  name: "disk",
  well: "there is room for leases, the journal and the CNI configuration",
  asks: () => [
    cmd`sh -c ${storeScript} room /run/deno-cni/networks /var/lib/deno-cni /etc/cni/net.d`,
  ],
  read(context, [asked]) {
    const lines = (asked?.outcome.stdout ?? "").split("\n").flatMap((line) => {
      const [, kind, left, percent, at] =
        /^(blocks|inodes) .* (\d+) +(\d+)% (\/.*)$/.exec(line) ?? [];
      return kind === undefined || at === undefined
        ? []
        : [{ kind, left: Number(left), percent: Number(percent), at }];
    });
    if (asked === undefined || lines.length === 0) {
      return [unclear("how much room there is for leases", asked)];
    }
    return lines.filter(({ left, percent }) => left < least || percent >= 95)
      .map(({ kind, left, percent, at }): Finding => ({
        is: left < least ? "fault" : "warning",
        what: left < least
          ? `${at} has no ${kind} left: no lease can be written, and no pod starts`
          : `${at} is full by ${percent} % of its ${kind}`,
        evidence: [
          shownBy(
            context,
            cmd`df ${kind === "blocks" ? "-Pk" : "-Pi"} ${at}`,
          ),
        ],
        remedies: [
          { say: `make room below ${at}` },
          onNode(context.node.name, cmd`du -xakd 2 ${at}`),
        ],
      }));
  },
};

export const leaseChecks: readonly Check[] = [
  addressesLeft,
  leakedLeases,
  brokenLeases,
  leftoverVeths,
  disk,
];
