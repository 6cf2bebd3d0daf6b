import {
  type AwsSettings,
  type GcpSettings,
  type Routes,
} from "./schema_cloud.ts";
import type { BgpSettings } from "./schema_bgp.ts";
import type { KubernetesSettings } from "./schema_kubernetes.ts";
import type { PluginSettings } from "./schema_plugin.ts";
import type { NodeSshSettings, SshSettings } from "./schema_ssh.ts";
import type { Firewall } from "./schema_firewall.ts";
import type { VxlanSettings } from "./schema_vxlan.ts";

/** Where a cluster's machines come from. */
export type Provider = "lab" | "local" | "ssh" | "aws" | "gcp";

/** One machine of the cluster. */
export interface ClusterNode {
  readonly name: string;
  readonly role: "control-plane" | "worker";
  /** Its address on its segment: the first of `addresses`. */
  readonly address: string;
  /** Its addresses on the segment, one a family. */
  readonly addresses: readonly string[];
  /**
   * The one of its addresses that its tunnels end at, whatever is inside of
   * them: the first; there exactly where routes is vxlan.
   */
  readonly vtep?: string;
  /** Its podCIDRs, one a family; empty until 02 has found them out. */
  readonly podCIDRs: readonly string[];
  /** How ssh reaches it, where that differs from the cluster's `ssh`. */
  readonly ssh?: NodeSshSettings;
  /** The machine that 01 made for it in a cloud; absent until it has. */
  readonly machine?: CloudMachine;
}

/** One of several network segments. */
export interface Segment {
  /** Its CIDRs, one a family. */
  readonly cidrs: readonly string[];
  /** The router's addresses on it, one a family. */
  readonly router: readonly string[];
  /** What its links take; left out, 1500 bytes. */
  readonly mtu?: number;
}

/** What the stages plan with. */
export interface Cluster {
  readonly name: string;
  readonly provider: Provider;
  /** The clusterCIDRs, one a family. */
  readonly clusterCIDRs: readonly string[];
  /** Prefix length of a node's podCIDR, one for each clusterCIDR. */
  readonly nodeMasks: readonly number[];
  readonly bridge: string;
  readonly cniVersion: "0.3.1" | "0.4.0" | "1.0.0" | "1.1.0";
  readonly mtu?: number;
  readonly plugin: PluginSettings;
  /** How many pods a lab's workers have from 09 on, the two test pods among them. */
  readonly podsPerNode?: number;
  /** What runs the lab's pods: without it, they are bare namespaces. */
  readonly runtime?: "containerd";
  /** The runtime is not the cluster file's: it was asked for when the lab was made. */
  readonly runtimeAskedFor?: true;
  /** The segment that the nodes share (lab: made by 01): the first of `segmentCIDRs`. */
  readonly segmentCIDR: string;
  /** The segment's CIDRs, one a family; with several segments, those of the first. */
  readonly segmentCIDRs: readonly string[];
  /** The segments of a lab that has several, with a router between them. */
  readonly segments?: readonly Segment[];
  /** A host that is not of the cluster, to try the way out with. */
  readonly outside: {
    /** Its address on the segment, the nodes' default gateway (lab): the first of `gateways`. */
    readonly gateway: string;
    readonly gateways: readonly string[];
    /** The address that pods try to reach: the first of `addresses`. */
    readonly address: string;
    readonly addresses: readonly string[];
    /**
     * Pages that answer with the address that they saw, one a family: what is
     * tried where the machines are no lab.
     */
    readonly urls?: readonly string[];
  };
  /** Which Kubernetes 02 makes of machines that are no lab; left out, the usual one. */
  readonly kubernetes?: KubernetesSettings;
  /** How ssh reaches the nodes. */
  readonly ssh?: SshSettings;
  /** What keeps the routes to the nodes' podCIDRs: the nodes, or a cloud's router. */
  readonly routes: Routes;
  /** How the tunnels are; there exactly where routes is vxlan. */
  readonly vxlan?: VxlanSettings;
  /** Who tells whom of podCIDRs; there exactly where routes is bgp. */
  readonly bgp?: BgpSettings;
  /** What 06 and 07 write their rules with; left out, iptables. */
  readonly firewall?: Firewall;
  /** What AWS shall make; there exactly where the provider is aws. */
  readonly aws?: AwsSettings;
  /** What GCP shall make; there exactly where the provider is gcp. */
  readonly gcp?: GcpSettings;
  /** The route table of the nodes' subnet (AWS); absent until 01 has made it. */
  readonly routeTableId?: string;
  readonly nodes: readonly ClusterNode[];
  /** The cluster of two families that this is one of (inFamily()): its nodes have both. */
  readonly whole?: Cluster;
  /** The folder in which this tool keeps what it found out: `.state/<name>`, absolute. */
  readonly stateDir: string;
  /** The file that it was read from, as the user named it. */
  readonly file: string;
}

/** Where 02 keeps each node's podCIDRs. */
export function podCIDRsPath({ stateDir }: Pick<Cluster, "stateDir">): string {
  return `${stateDir}/pod-cidrs.json`;
}

/** Where 02 keeps what runs a lab's pods, where the cluster file does not say it. */
export function runtimePath({ stateDir }: Pick<Cluster, "stateDir">): string {
  return `${stateDir}/runtime`;
}

/** A machine in a cloud. */
export interface CloudMachine {
  /** The cloud's name for it: an instance id (AWS), an instance name (GCP). */
  readonly id: string;
  /** Where it is reached from outside; absent while it is stopped. */
  readonly publicAddress?: string;
  /** Its network interface's id (AWS). */
  readonly interfaceId?: string;
}
