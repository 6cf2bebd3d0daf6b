/**
 * What the tour says ahead of each stage: why, what, and what to look at, in
 * exactly three sentences. A stage that is added wants its own here; the
 * compiler says so.
 */
import { clusterSet, nftTable } from "../net/nft_table.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { hasTunnels } from "../cluster/tunnels.ts";
import type { VxlanSettings } from "../cluster/schema_vxlan.ts";
import type { BgpSettings } from "../cluster/schema_bgp.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { podCIDRsPath } from "../cluster/cluster.ts";
import { cmd, type Command } from "../exec/command.ts";
import type { Plan, StageName } from "../stage/stage.ts";

/** Three sentences: why there is something to do, what will be done, what to expect or look at. */
export type Sentences = readonly [why: string, what: string, then: string];

/** A command that shows what a stage has done, as long as there are no pods to ask. */
export interface Look {
  readonly on: "operator" | "node";
  readonly command: Command;
}

/** What the tour says of a stage. */
interface TourText {
  /** Before 02 has run, the plan's node has no podCIDRs. */
  readonly sentences: (plan: Plan) => Sentences;
  /** Absent where the matrix shows it. */
  readonly look?: (cluster: Cluster) => Look | undefined;
}

const list = (values: readonly string[]) => values.join(" and ");

/** The tour's words, stage by stage. */
export const tourTexts: Readonly<Record<StageName, TourText>> = {
  "01-provision": {
    sentences: ({ cluster: { segmentCIDRs, segments } }) => [
      "A pod network joins machines, so there have to be machines first.",
      "Here a machine is a network, mount and UTS namespace of this computer's " +
      "own kernel, with one cable (a veth pair) to " +
      (segments === undefined
        ? `a segment, ${list(segmentCIDRs)}, on which there is also `
        : `one of ${segments.length} segments; a router joins these, and on ` +
          `the first, ${segmentCIDRs[0]}, is `) +
      "a host that is not of the cluster.",
      "They begin as a Docker host does, with ip_forward off and the chain " +
      "FORWARD at DROP, and none of them knows of any pod.",
    ],
    look: () => ({ on: "node", command: cmd`ip -br addr` }),
  },
  "02-kubeadm": {
    sentences: ({ cluster: { clusterCIDRs } }) => [
      "An address has to tell on which node its pod is, or every node would " +
      "need a route for every single pod.",
      `So the pod network, ${list(clusterCIDRs)} (the clusterCIDR), is cut ` +
      "into a part for each node, its podCIDR, from which that node alone " +
      "gives out addresses.",
      "In a cluster made by kubeadm, kube-controller-manager does that; the " +
      "lab has no control plane, so this stage does the same arithmetic and " +
      "writes it down.",
    ],
    look: (cluster) => ({
      on: "operator",
      command: cmd`cat ${podCIDRsPath(cluster)}`,
    }),
  },
  "03-cni-config": {
    sentences: ({ cluster: { plugin } }) => [
      "Kubernetes itself plugs in no pod: the container runtime reads the " +
      "first file of /etc/cni/net.d, and executes the plugin that it names.",
      "This stage writes that file on every node, with the plugin's type, the " +
      "clusterCIDR and the node's own podCIDR" +
      (plugin.hairpin
        ? ", and hairpinMode: a frame may leave the bridge by the port that it " +
          "came in by, as when a pod calls its own Service."
        : "."),
      "On a real cluster, a node stays NotReady until it has one.",
    ],
    look: () => ({
      on: "node",
      command: cmd`cat /etc/cni/net.d/10-deno-cni.conflist`,
    }),
  },
  "04-bridge": {
    sentences: ({ cluster: { bridge } }) => [
      "Pods of one node need something to be plugged into, as machines need a " +
      "switch, and a bridge is a switch inside the kernel.",
      `Every node gets one, ${bridge}, with the first host address of its ` +
      "podCIDR: that is the gateway of its pods, and its own way to them.",
      "Nothing is plugged in yet, so the link will say NO-CARRIER.",
    ],
    look: ({ bridge }) => ({
      on: "node",
      command: cmd`ip addr show ${bridge}`,
    }),
  },
  "05-plugin": {
    sentences: () => [
      "At each pod's birth the runtime executes the plugin with " +
      "CNI_COMMAND=ADD, and what network the pod has is what the plugin makes.",
      "Ours takes a free address of the podCIDR, makes a veth pair with one " +
      "end in the pod and the other on the bridge, and gives the pod's end its " +
      "address and a default route.",
      "This stage builds it from plugin/ and puts it where every runtime " +
      "looks, into /opt/cni/bin.",
    ],
  },
  "06-forwarding": {
    sentences: ({ cluster: { clusterCIDRs, firewall } }) => [
      "A kernel that does not forward (ip_forward) drops what is for somebody " +
      "else, and Docker and many firewalls leave the chain FORWARD at DROP.",
      "Frames between two pods of one node only cross the bridge, but they are " +
      "shown to that chain too (bridge-nf-call-iptables).",
      "This stage switches forwarding on and accepts what comes from " +
      `${list(clusterCIDRs)} or goes there${
        firewall === "nftables"
          ? ", in a table of our own and, since that undoes no other's drop, " +
            "in FORWARD, too"
          : ""
      }: look for what neighbours on one ` +
      "node can do then" +
      (firewall === "nftables"
        ? "."
        : ", and a pod with a service of its own, whose packets come back by " +
          "the same port (hairpin)."),
    ],
    look: ({ firewall }) =>
      firewall === "nftables"
        ? { on: "node", command: cmd`nft list table ${nftTable}` }
        : undefined,
  },
  "07-masquerade": {
    sentences: ({ cluster: { clusterCIDRs, firewall } }) => [
      "What a pod sends gets out now, but nobody out there knows a way back to " +
      "a pod's address, so no answer arrives.",
      "This stage has each node put its own address in place of the pod's on " +
      "what leaves the cluster (MASQUERADE), and the kernel turns the answers " +
      "back.",
      `What stays inside is exempt (${
        firewall === "nftables"
          ? clusterCIDRs.map((cidr) => `daddr != @${clusterSet(cidr)}`)
            .join(", ")
          : `! -d ${clusterCIDRs.join(", ! -d ")}`
      }), ` +
      "since Kubernetes wants pods to see each other's own addresses.",
    ],
    look: ({ firewall }) =>
      firewall === "nftables"
        ? {
          on: "node",
          command: cmd`nft list chain ${nftTable} postrouting`,
        }
        : undefined,
  },
  "08-routes": {
    sentences: ({ node, cluster }) =>
      cluster.bgp !== undefined
        ? bgpSentences(cluster, cluster.bgp)
        : cluster.vxlan !== undefined && hasTunnels(cluster, node.name)
        ? vxlanSentences(cluster, cluster.vxlan)
        : [
          "Pods of other nodes are still out of reach: no route of this node has " +
          "their addresses, so packets for them go to the default gateway, which " +
          "knows no pods.",
          "This stage gives every node a route to every other node's podCIDR, by " +
          "that node's address on the segment.",
          "A packet from pod to pod then keeps both its addresses all the way, and " +
          "that is all that Kubernetes asks of a pod network.",
        ],
    look: (cluster) => {
      if (cluster.bgp !== undefined) {
        return { on: "node", command: cmd`birdc -r show route` };
      }
      return cluster.nodes.some(({ name }) => hasTunnels(cluster, name))
        ? { on: "node", command: cmd`bridge fdb show dev ${tunnelLink}` }
        : undefined;
    },
  },
  "09-verify": {
    sentences: () => [
      "Whether a network works is seen from inside a pod, so each worker gets " +
      "two: shell, which calls, and web, which answers.",
      "From here on the same test follows every stage: pods, nodes and a host " +
      "outside the cluster call each other, and who answers tells whose " +
      "address it saw, since a ping that comes back does not tell that.",
      'Where it says "no, until 06", that is no fault, but what has to be so ' +
      "as long as stage 06 has not run.",
    ],
  },
};

function vxlanSentences(
  { segments }: Cluster,
  { port }: VxlanSettings,
): Sentences {
  const isRouted = segments !== undefined;
  return [
    "Pods of other nodes are still out of reach, and of a node beyond a router " +
    "no route helps: the router, which knows no pods, would get the packet next" +
    (isRouted
      ? "."
      : " (here is none, and the cluster file asks for tunnels)."),
    "So this stage gives every node a VXLAN link: what goes out by it, a whole " +
    `frame, travels inside of a UDP packet from node to node (port ${port}), and ` +
    `${
      isRouted ? "the router" : "what is between"
    } sees the nodes' addresses ` +
    "alone.",
    "A route says which pods are beyond, a neighbour which MAC the far end " +
    "has, and a forwarding entry, shown below, which node that MAC is on; " +
    "the headers around the frame are why pods get a smaller MTU.",
  ];
}

function bgpSentences(
  { segments }: Cluster,
  { as }: BgpSettings,
): Sentences {
  const isRouted = segments !== undefined;
  return [
    isRouted
      ? "Pods of other nodes are still out of reach, and for those beyond a router " +
        "no route of a node is enough, as long as the router itself knows no pods."
      : "Pods of other nodes are still out of reach, and to write every node's " +
        "routes by hand takes as many routes as there are pairs of nodes.",
    "So this stage starts BIRD on every node, a program that speaks BGP as " +
    `routers do (here as autonomous system ${as}): each node announces its own ` +
    `podCIDRs, ${
      isRouted ? "to the router, too, " : ""
    }and believes of another ` +
    "node that one's podCIDRs alone.",
    "Shown below is what bird knows: in [ ] whence a route came (a session is " +
    "to-NODE, kernel and direct are this node's own), blackhole what it announces; " +
    "the kernel's routes are made of what came by sessions, and go when their node " +
    "does.",
  ];
}

/** Ahead of the classic mistake: stage 07 without its exemption. */
export const mistakeSentences: Sentences = [
  "Many instructions have the rule of stage 07 without its exemption of the " +
  "pod network, and nobody notices, since every ping is answered.",
  "The tour now puts that rule in place of ours, on every node, to show you " +
  "what a ping cannot.",
  "So do not ask whether an answer comes, but whose address the receiver saw.",
];

/** Ahead of what mends it. */
export const mendingSentences: Sentences = [
  "To the receiver all pods of a node have become one: its access log, its " +
  "rate limits and every network policy see the node, and can no longer tell " +
  "who called.",
  "The real stage 07 takes the wrong rule out, for the journal says that it " +
  "was put in by this tool, and puts the right one back.",
  "A rule of somebody else's it would not touch; stage 09 finds that " +
  "too, and prints the command that deletes it.",
];
