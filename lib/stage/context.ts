/** What a run of stages is given: how to run, whom to tell, and which machines. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Node, Reach } from "../node/node.ts";
import type { StepResult } from "./result.ts";
import type { ConsentRequest } from "./consent.ts";
import type { Answer, PluginForm, Step } from "./stage.ts";

/** What the user wants of a step. */
export type StepChoice = "run" | "skip" | "stop";

/** How a stage is run. */
export interface RunContext {
  readonly timeout_ms: number;
  /** Ends commands under way. */
  readonly signal: AbortSignal;
  /** Whether no further step shall begin. */
  readonly stopping: () => boolean;
  /** Told of each result at once. */
  readonly tell: (result: StepResult) => void;
  /** Told, a line at a time, of what goes on in something that takes long. */
  readonly progress?: (line: string) => void;
  /** Told at once what is not quick, where a person watches a terminal. */
  readonly announce?: (line: string) => void;
  /**
   * The nodes that `--node` names: records about others are left alone, on the
   * operator's machine.
   */
  readonly nodes?: readonly string[];
  /** One step that fails does not keep the independent ones beside it from running. */
  readonly keepGoing?: true;
  /** What is known of a step so that its probe need not be asked. */
  readonly known?: (step: Step) => Answer | undefined;
  /** Asked before each command where the user wants to go step by step; "stop" ends the run. */
  readonly ask?: (node: string, step: Step) => Promise<StepChoice>;
  /** The other nodes, for steps that wait for them or take from them. */
  readonly others?: Others;
  /**
   * Asked, once a run on a node, before what needs consent; without
   * it, that is refused.
   *
   * @throws {StepError} when there is no terminal to ask at
   */
  readonly consent?: (request: ConsentRequest) => Promise<boolean>;
}

/** The nodes beside the one at which a stage is at work. */
export interface Others {
  readonly node: (name: string) => Node;
  /**
   * Waits until this run is over there; whether all went well. True where it
   * is not at work there.
   */
  readonly ended: (name: string) => Promise<boolean>;
}

/** One run of stages on a cluster. */
export interface StageRun {
  readonly context: RunContext;
  /** Whether stages are taken back rather than applied. */
  readonly undo: boolean;
  /** The names of the nodes that the user named; none: all nodes. */
  readonly nodes: readonly string[];
  /** The plugin's form that the user asked for. */
  readonly form: PluginForm | undefined;
  /** All results so far. */
  readonly results: readonly StepResult[];
  /** The cluster as it is known now; stages find things out, so ask again after each. */
  cluster(): Promise<Cluster>;
  /** The names of the nodes to work on. */
  selected(cluster: Cluster): readonly string[];
  reach(cluster: Cluster): Reach;
}
