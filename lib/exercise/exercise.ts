/** What an exercise is: something broken in a lab, to be found and repaired. */
import type { StageName } from "../stage/stage.ts";

/** The layers of a pod network that something can be broken in. */
export const layers = [
  "link",
  "bridge",
  "address",
  "route",
  "filter",
  "NAT",
  "MTU",
  "ARP",
  "ND",
  "sysctl",
  "policy routing",
  "leases",
  "plugin configuration",
] as const;

/** One of them. */
type Layer = typeof layers[number];

/** The four steps of difficulty, and what the exercises of each have in common. */
export const difficulties = {
  1: "what a stage makes is wrong or gone, and that stage repairs it",
  2: "something else stands in the way, and has to go",
  3: "some of it works: what a ping or iptables alone does not show",
  4: "two faults at once",
} as const;

/** One of the four steps. */
type Difficulty = keyof typeof difficulties;

/** A stage that was run wrongly on a node. */
export interface StageFault {
  readonly stage: StageName;
  readonly on: string;
  readonly wrongly:
    | "for the segment"
    | "through the gateway"
    | "without the exemption";
}

/** What was done by hand on a node. */
export interface HandFault {
  readonly on: string;
  /** Lines for a shell there, with the functions of fault_shell.sh. */
  readonly run: string;
}

/** What takes a fault away: a stage on a node, or a line for a shell there. */
export type Repair =
  | { readonly stage: StageName; readonly on: string }
  | HandFault;

/** Something that works once an exercise is solved, beside the paths of stage 09. */
export interface Trial {
  /** What does not work, in a learner's words. */
  readonly says: string;
  readonly on: string;
  /** Lines for a shell there, as a fault has them; they succeed once it works. */
  readonly run: string;
  /** A new pod is started there first, in which they run. */
  readonly inNewPod?: boolean;
}

/** What an exercise is made of; {one}, {two} and the like stand for a cluster's own names. */
export interface ExerciseData {
  /** Never changes, whatever is added to the list. */
  readonly id: string;
  readonly title: string;
  readonly difficulty: Difficulty;
  /** Those that are broken; more than one where there are several faults. */
  readonly layers: readonly [Layer, ...Layer[]];
  /** What users complain of: what happens, not why. */
  readonly story: string;
  /** What has to hold in the end. */
  readonly goal: string;
  /** What a kernel may lack of it. */
  readonly needs?: "netem";
  /** The address family that it is about, where that is not IPv4. */
  readonly family?: 6;
  /** Where to begin to look: the ends of a trace, as pods' names. */
  readonly from?: string;
  readonly to?: string;
  /** Each says more than the one before; neither says the repair. */
  readonly hints: readonly [HintData, HintData];
  readonly faults: readonly [StageFault | HandFault, ...HandFault[]];
  readonly trials?: readonly Trial[];
  readonly repairs: readonly [Repair, ...Repair[]];
  /** What shows the cause, and a part of what it says of it. */
  readonly shownBy: {
    readonly tool: "trace" | "doctor";
    readonly says: string;
  };
  /** What was wrong and what it teaches, told once it is solved. */
  readonly explanation: string;
}

/** Where to look. */
interface HintData {
  readonly says: string;
  /** A command on a node, or in a pod ("worker-1/web"); or one of the tools. */
  readonly look: "trace" | "doctor" | {
    readonly on: string;
    readonly run: string;
  };
}

/** A hint with a line for the operator's shell. */
interface Hint {
  readonly says: string;
  readonly run: string;
}

/** An exercise on a cluster. */
export interface Exercise extends Omit<ExerciseData, "hints" | "from" | "to"> {
  /** Its place in the list, by which it is asked for. */
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly hints: readonly [Hint, Hint];
  /** The line that shows the cause. */
  readonly shows: string;
  /** The lines that repair it, where each is one of the operator's. */
  readonly mends: readonly string[];
}

/** Whether a fault is a stage that was run wrongly. */
export function isStageFault(
  fault: StageFault | HandFault,
): fault is StageFault {
  return "wrongly" in fault;
}
