/** The cluster: what its file says, and what the stages found out about it. */

/** Where a cluster's machines come from. */
export type Provider = "lab" | "local" | "ssh" | "aws" | "gcp";

/** One machine of the cluster. */
export interface ClusterNode {
  readonly name: string;
  readonly role: "control-plane" | "worker";
  /** Its address on the segment that the nodes share; empty until 01 has found it out. */
  readonly address: string;
  /** Its podCIDRs, one a family; empty until 02 has found them out. */
  readonly podCIDRs: readonly string[];
}

/** What the stages plan with. */
export interface Cluster {
  readonly name: string;
  readonly provider: Provider;
  /** The clusterCIDRs, one a family, IPv4 first. */
  readonly clusterCIDRs: readonly string[];
  /** Prefix length of a node's podCIDR, one for each clusterCIDR. */
  readonly nodeMasks: readonly number[];
  readonly bridge: string;
  readonly cniVersion: "0.3.1" | "0.4.0" | "1.0.0" | "1.1.0";
  readonly mtu?: number;
  /** The segment that the nodes share (lab: made by 01). */
  readonly segmentCIDR: string;
  /** A host that is not of the cluster, to try the way out with. */
  readonly outside: {
    /** Its address on the segment, the nodes' default gateway (lab). */
    readonly gateway: string;
    /** The address that pods try to reach. */
    readonly address: string;
  };
  readonly nodes: readonly ClusterNode[];
  /** The folder in which this tool keeps what it found out: `.state/<name>`, absolute. */
  readonly stateDir: string;
  /** The file that it was read from, as the user named it. */
  readonly file: string;
}
