/** All that a trace found out, for a diagnosis. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Outcome } from "../exec/command.ts";
import type { NodeFacts } from "../diagnosis/evidence.ts";
import type { RouterAnswer } from "../diagnosis/segments/router_answer.ts";
import type { Claimed } from "./duplicate_addresses.ts";
import type { PlaceAnswers } from "./place_state.ts";
import type { End, Place } from "./endpoints.ts";
import type { Sending } from "./probe_packets.ts";
import type { SurveyedMachine } from "./machine_survey.ts";
import type { Way } from "./packet_path.ts";
import type { Asked } from "../node/batch.ts";

/** A packet that was sent, and what came of it. */
export interface FollowedPacket {
  readonly sending: Sending;
  readonly outcome: Outcome;
  readonly answered: boolean;
  /** What the command said, in a line. */
  readonly said: string;
  readonly there: Way;
  readonly back: Way;
}

/** A second machine or pod that answers for an address. */
export interface UnexpectedResponder {
  readonly addressClaim: Claimed;
  readonly mac: string;
  /** The bridge's port that it is behind. */
  readonly port?: string;
  /** The name of its network namespace, or of its machine. */
  readonly name?: string;
  /** What it says of the address: `ip -j addr show to ADDRESS`. */
  readonly asked?: Asked;
}

/** How large a packet may be. */
export interface SizesTried {
  /** What let the largest packet through, and what did not let through one a bit larger. */
  readonly passes?: { readonly size_bytes: number; readonly asked: Asked };
  /** Links that carry less than the sender sends, with the machine that has them. */
  readonly narrow: readonly {
    readonly machine: string;
    readonly link: string;
    readonly mtu: number;
    readonly asked: Asked;
  }[];
}

/** The findings. */
export interface TraceFindings {
  /** With the addresses of one family alone (inFamily()). */
  readonly cluster: Cluster;
  readonly from: End;
  /** Who receives. */
  readonly to: End;
  /** What the sender names: another end than `to` where a rule rewrites that. */
  readonly called: End;
  /** The machines at neither end that could not be listened at. */
  readonly deaf: readonly string[];
  readonly machines: ReadonlyMap<string, SurveyedMachine>;
  /** What the nodes say of themselves; empty where nothing had to be explained. */
  readonly facts: ReadonlyMap<string, NodeFacts>;
  /** What the router between a lab's segments says of itself, where that was asked. */
  readonly router?: RouterAnswer;
  readonly answersOf: (place: Place) => PlaceAnswers;
  readonly claimed: readonly Claimed[];
  readonly responders: readonly UnexpectedResponder[];
  readonly sizes?: SizesTried;
  /** All packets, and the one that is told of. */
  readonly sent: readonly FollowedPacket[];
  readonly followed: FollowedPacket;
}
