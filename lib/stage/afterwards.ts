/** What shows what a stage has done. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Command } from "../exec/command.ts";

/** What there is to look at once a stage has run. */
export interface Afterwards {
  readonly on: "node" | "operator";
  /** The pod of the node to look from; the node itself without one. */
  readonly pod?: string;
  /** Left out, a shell is what one looks around in. */
  readonly run?: Command;
}

/** What a look depends on. */
export type LookedAt = Pick<
  Cluster,
  "bridge" | "clusterCIDRs" | "firewall" | "routes" | "stateDir"
>;
