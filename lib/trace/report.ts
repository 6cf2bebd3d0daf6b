/** What a trace found: the path of one packet and of its answer, hop by hop. */
import type { Family } from "../net/cidr.ts";
import type { StageName } from "../stage/stage.ts";
import type { CauseReport } from "../diagnosis/cause.ts";

/** The data form of a trace (`-o json`). */
export interface TraceReport {
  readonly version: 1;
  readonly cluster: string;
  readonly family: Family;
  readonly from: TraceEnd;
  readonly to: TraceEnd;
  /** The packets that were sent, and what came of each. */
  readonly packets: readonly TracePacket[];
  /** The one of them that `hops` follows. */
  readonly followed: PacketKind;
  /** Whether the sender got an answer to the packet that `hops` follows. */
  readonly delivered: boolean;
  /** In the order of the way: all of "there", then all of "back". */
  readonly hops: readonly TraceHop[];
  /** The place in `hops` of the last one that was as it should be; -1 where none was. */
  readonly lastGood: number;
  /**
   * What is wrong, and what mends it; none when all is well. A packet may be
   * delivered and still have one.
   */
  readonly cause?: CauseReport;
  /** What else the reader should know, a sentence each. */
  readonly remarks: readonly string[];
  /** The same ends in the cluster's other family, where both were tried. */
  readonly otherFamily?: TraceReport;
}

/** Whether nothing is wrong with a path, in each family that was tried. */
export function isWell(
  { delivered, cause, otherFamily }: TraceReport,
): boolean {
  return delivered && cause === undefined &&
    (otherFamily === undefined || isWell(otherFamily));
}

/** One end of a path. */
export interface TraceEnd {
  /** A node's name, or "outside"; none for an address that no machine here has. */
  readonly node?: string;
  readonly pod?: string;
  readonly address: string;
}

/**
 * The kinds of packet that are sent: the call that a user would make, the
 * smallest that crosses the path, and the largest that may not be cut in pieces.
 */
export type PacketKind =
  | "request"
  /** The beginning of a TCP connection, and a UDP datagram, to a port that was named. */
  | "connection"
  | "datagram"
  | "ping"
  | "full-mtu";

/** A packet that was sent. */
export interface TracePacket {
  readonly kind: PacketKind;
  /** The command that sent it, as it was run at the sender. */
  readonly command: string;
  /** The port that it goes to, of a connection or datagram to one that was named. */
  readonly port?: number;
  /** Its length as an IP packet, where it is known. */
  readonly size_bytes?: number;
  readonly answered: boolean;
  /**
   * What the command said: of a request the address that the receiver saw, of
   * one without answer why.
   */
  readonly said: string;
}

/** Where in a machine, or between two, a packet is. */
type HopPlace =
  /** The program's own machine or pod, as the packet leaves it. */
  | "output"
  /** It has come in, and has not been routed yet. */
  | "prerouting"
  /** The choice of where it goes from here. */
  | "routing"
  | "forward"
  /** It is about to leave; here its source may be rewritten. */
  | "postrouting"
  /** The program's own machine or pod, as the packet arrives. */
  | "input"
  /** Between the node's bridge and the pod: a veth pair. */
  | "veth"
  /** What joins the nodes. */
  | "segment"
  | "tunnel";

/** What became of a packet at a hop. */
type HopOutcome =
  | "SENT"
  | "RECEIVED"
  | "FORWARDED"
  /** Forwarded, under another source or destination from here on. */
  | "REWRITTEN"
  | "DROPPED"
  | "DELIVERED";

/** A packet at one place. */
export interface TraceHop {
  readonly direction: "there" | "back";
  /** A node's name, or "outside"; of a hop on the segment, the machine that it left. */
  readonly node: string;
  /** The pod, where the packet is inside one. */
  readonly pod?: string;
  readonly place: HopPlace;
  /** The link that it came in by (prerouting, input), else the one that it leaves by. */
  readonly link?: string;
  /** The addresses as they are there, before what is rewritten here. */
  readonly source: string;
  readonly destination: string;
  readonly outcome: HopOutcome;
  /** The addresses from here on, where they were REWRITTEN. */
  readonly after?: { readonly source: string; readonly destination: string };
  /** What decided, where something did; the first is the one that ended it. */
  readonly by: readonly Decision[];
}

/** What decided on a packet. */
export interface Decision {
  readonly kind:
    | "rule"
    | "policy"
    | "route"
    | "sysctl"
    | "neighbour"
    | "link"
    /** The kernel's memory of what it rewrote; its text is ours. */
    | "conntrack";
  /** As the system shows it: a rule of `iptables -S`, a route of `ip route`, … */
  readonly text: string;
  /** The stage that makes it, where it is one of ours. */
  readonly stage?: StageName;
}
