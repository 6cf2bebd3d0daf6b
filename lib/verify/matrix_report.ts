/** Stage 09's findings as data. */
import type { Family } from "../net/cidr.ts";
import type { Expected, Observed, Path } from "./matrix.ts";
import type { StageName } from "../stage/stage.ts";
import type { CauseReport } from "../diagnosis/cause.ts";

/** The data form of stage 09 (`-o json`). */
export interface MatrixReport {
  /** Grows when a field changes its meaning or goes away. */
  readonly version: 1;
  /** The cluster's name. */
  readonly cluster: string;
  /** Whether everything is as expected: the exit code is 0. */
  readonly passed: boolean;
  /** The stages that each node's journal calls complete, by node. */
  readonly complete: Readonly<Record<string, readonly StageName[]>>;
  /** The test pods of each worker. */
  readonly pods: readonly PodsReport[];
  /** Whether Kubernetes calls each node Ready; absent where there is none. */
  readonly nodes?: readonly NodeReadiness[];
  /** What became of a service's name in each worker's pod; absent where it was not tried. */
  readonly dns?: readonly DnsReport[];
  /** Whether each worker's pod reaches itself by a service; absent where it was not tried. */
  readonly hairpin?: readonly HairpinReport[];
  /** Whether a port of each worker leads to its pod; absent where it was not looked at. */
  readonly hostPorts?: readonly HostPortReport[];
  /** The nodes whose other pods are not as they should be, an entry a cause. */
  readonly others?: readonly OthersReport[];
  /** The nodes from whose pods long packets are lost on the way to other nodes' pods. */
  readonly long?: readonly LongReport[];
  readonly paths: readonly PathReport[];
  /** What explains the entries above that are not as expected; they refer to `number`. */
  readonly causes: readonly (CauseReport & { readonly number: number })[];
  /** What else one should know, a sentence each. */
  readonly remarks: readonly string[];
  /** The stage that opens the next paths; absent when none is left. */
  readonly next?: StageName;
}

/** A worker's test pods. */
export interface PodsReport {
  readonly node: string;
  /** The stage before which the node can have none; absent when it must have them. */
  readonly waitsFor?: StageName;
  /** The addresses of each pod that is there, one a family. */
  readonly addresses: Readonly<Record<string, readonly string[]>>;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A node in the eyes of Kubernetes. */
export interface NodeReadiness {
  readonly node: string;
  readonly ready: boolean;
  /** The stage before which it cannot be Ready; absent when it must be. */
  readonly waitsFor?: StageName;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A service's name, as a worker's pod resolves it. */
export interface DnsReport {
  readonly node: string;
  /** Absent where it was not resolved. */
  readonly address?: string;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A pod's call to itself by a service. */
export interface HairpinReport {
  readonly node: string;
  readonly answered: boolean;
  /** Also where none came and the configuration does not ask for hairpin mode. */
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A port of the node that a pod asks for (hostPort). */
export interface HostPortReport {
  readonly node: string;
  /** Absent where it was not tried: no portmap is in the network configuration. */
  readonly answered?: boolean;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** The pods of a node beside the test pods. */
export interface OthersReport {
  readonly node: string;
  /** How many are plugged into the bridge no more. */
  readonly cutOff: number;
  /** How many addresses several of them have. */
  readonly heldTwice: number;
  /** How many have no lease. */
  readonly withoutLease: number;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A node whose pod's packets of full length are lost, or will be. */
export interface LongReport {
  readonly node: string;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}

/** A path in one family. */
export interface PathReport extends Path {
  /** The IP version. */
  readonly family: Family;
  readonly expected: Expected;
  /** The address that the receiver must see; absent where no answer is expected. */
  readonly expectedSource?: string;
  readonly observed: Observed;
  readonly asExpected: boolean;
  /** A number of `causes`. */
  readonly cause?: number;
}
