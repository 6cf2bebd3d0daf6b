/** A stage as data: its steps, and the probes that ask whether a step is still to be done. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import type { Command, Outcome, RunOptions } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import type { Afterwards, LookedAt } from "./afterwards.ts";
import type { AskRemarks } from "./ask_remarks.ts";
import type { Consent, ConsentRequest } from "./consent.ts";

/**
 * What a probe found. `former` says that it may be what an earlier run of the
 * stage left by other means: it goes, where that is taken back first.
 */
export type Answer =
  /** As the step would leave it; `ours` says that it bears our mark. */
  | { readonly is: "present"; readonly ours?: true; readonly former?: true }
  /**
   * Such a node has no use for the step, which is neither told nor recorded;
   * `ours` says, where that is known, whether its effect is there from a time
   * when there was a use.
   */
  | { readonly is: "unneeded"; readonly ours?: boolean }
  /**
   * Still to be done; `previous` is the value that undo has to put back,
   * `preview` what the step would do, for the person who has to agree to it;
   * `ours` says that something of ours is there, as another run of the stage
   * left it, which undo takes away; `found` how it is otherwise; `replaces`
   * what takes that away first, where the step alone cannot change it.
   */
  | {
    readonly is: "absent";
    readonly ours?: true;
    readonly found?: string;
    readonly previous?: string;
    readonly preview?: string;
    readonly replaces?: Command;
  }
  /**
   * There, but not ours: refused, never touched. What is unmarked differs
   * by our mark alone, so a step of ours that was cut off explains it.
   */
  | {
    readonly is: "different" | "unmarked";
    readonly found: string;
    readonly remedy: string;
    readonly former?: true;
  }
  /** It could not be found out: an error, never "absent". */
  | { readonly is: "unknown"; readonly reason: string };

/** A read-only question to a node, and a pure reading of what came back. */
export interface Probe {
  readonly ask: Command;
  /** @param input of a step whose input is asked for beforehand; see Input */
  readonly read: (outcome: Outcome, input?: string) => Answer;
  /** What asking makes that the step needs; a dry run prints it for a reader who goes by hand. */
  readonly prepares?: { readonly why: string; readonly run: Command };
}

/** A file of the operator's machine that is to be on the node. */
export interface Copy {
  readonly copy: string;
  readonly to: string;
  readonly mode: string;
}

/**
 * Text that one node gives and a step elsewhere needs; asked for at run time,
 * and written down nowhere.
 */
export interface Input {
  /** The name of the node that gives it. */
  readonly from: string;
  readonly why: string;
  readonly ask: Command;
  /** More nodes on which this run of the stage has to be over before it is asked for. */
  readonly after?: readonly string[];
  /** Asking changes nothing, so it is asked for before the probe, which compares. */
  readonly compared?: true;
  /** Its secret parts, with the flag `g`; redacted wherever an output is told. */
  readonly secret?: RegExp;
}

/**
 * Undo of a step that may fail half-way and leave parts behind: it is run
 * whatever became of the step, and has to succeed, also where nothing is left.
 */
interface Cleanup {
  readonly cleanup: Command;
}

/** One command and its reason. */
export interface Step {
  readonly why: string;
  /** Skip the step where this finds its effect present. A step without one runs at every apply. */
  readonly doneWhen?: Probe;
  readonly run: Command | Copy;
  /**
   * Names the step in the journal; left out, its command does. Needed where
   * another command for the same thing must not mean that the thing is taken
   * away first: machines outlive a change of flags.
   */
  readonly key?: string;
  /** What the command reads, where another node gives it. */
  readonly input?: Input;
  /**
   * Takes the step back; given the previous value that the probe saw. None:
   * nothing to take back.
   */
  readonly undo?: Command | ((previous: string) => Command) | Cleanup;
  /**
   * The one node that a step on the operator's machine is about; `--node`
   * leaves the others out.
   */
  readonly node?: string;
  /**
   * Milliseconds that the command, its probe and its undo may take each
   * (default: the `--timeout` flag's).
   */
  readonly timeout_ms?: number;
  /** What a person has to agree to before it is run or taken back. */
  readonly consent?: Consent;
  /** What does it again at boot, where that is not the command itself. */
  readonly atBoot?: Command;
  /**
   * Neither its probe's answer nor its command depends on the steps next to it
   * that say the same: these are asked, and run, in one go.
   */
  readonly independent?: true;
  /** Names the thing that it makes, which takes along all in it when it is made anew. */
  readonly holds?: string;
  /** The thing that its effect is in, as the step before that makes it names it. */
  readonly heldBy?: string;
  /**
   * It takes nothing away and may fail, as a package to be fetched may: done before
   * what an earlier run did is taken back. Steps that say so are a stage's first.
   */
  readonly ahead?: true;
  /** It has the stage's commands done again by themselves: taken back ahead of theirs. */
  readonly repeats?: true;
}

/**
 * The command that takes a step back.
 *
 * @param previous the value that the probe saw before the step
 * @returns undefined where there is nothing to take back
 */
export function undoOf(
  { undo }: Pick<Step, "undo">,
  previous?: string,
): Command | undefined {
  if (typeof undo === "function") {
    return previous === undefined ? undefined : undo(previous);
  }
  return isCleanup(undo) ? undo.cleanup : undo;
}

/** Whether an undo is run whatever became of its step. */
export function isCleanup(undo: Step["undo"]): undo is Cleanup {
  return typeof undo === "object" && "cleanup" in undo;
}

/**
 * A step on one of the other nodes, of which no journal knows; its probe finds
 * it present or absent.
 */
export interface FollowUpStep extends Required<Pick<Step, "why" | "doneWhen">> {
  /** The node's name. */
  readonly on: string;
  readonly run: Command;
}

/** A file of the built plugin, and what it must be like on a node. */
export interface PluginFile extends Copy {
  readonly size_bytes: number;
  /** Hexadecimal; absent for a file so large that its size has to do. */
  readonly sha256?: string;
}

/** What a stage's steps are planned from. */
export interface Plan {
  readonly cluster: Cluster;
  readonly node: ClusterNode;
  /** The built plugin's files, where the stage builds it. */
  readonly pluginFiles?: readonly PluginFile[];
}

/** The stages' names, in their order. */
export const stageNames = [
  "01-provision",
  "02-kubeadm",
  "03-cni-config",
  "04-bridge",
  "05-plugin",
  "06-forwarding",
  "07-masquerade",
  "08-routes",
  "09-verify",
] as const;

/** A stage's name. */
export type StageName = typeof stageNames[number];

/** How to build what a stage installs. */
interface Build {
  readonly why: string;
  /** What does the same by hand. */
  readonly byHand: Command;
  /** Builds it, or finds it built. */
  readonly make: (form: PluginForm | undefined) => Promise<BuildResult>;
  /** What make() would most likely give, without building; for a dry run. */
  readonly peek: () => Promise<readonly PluginFile[]>;
}

/** The forms that the plugin can be built in. */
export type PluginForm = "compiled" | "portable";

/** What came of a build. */
interface BuildResult {
  readonly files: readonly PluginFile[];
  readonly changed: boolean;
  /** One line for the person who waits. */
  readonly line: string;
}

/** What a stage does on the operator's own machine. */
interface OperatorPart {
  /** For a run on some nodes, whose names are given, or on all. */
  readonly steps: (cluster: Cluster, on?: readonly string[]) => readonly Step[];
  /**
   * Whether they come after the nodes' steps, and only where all of those went
   * well; else before.
   */
  readonly last?: (cluster: Cluster) => boolean;
  /**
   * Whether taking them back ends the nodes themselves: then nothing is taken
   * back on the nodes first, and they need not answer.
   */
  readonly endsNodes?: (cluster: Cluster) => boolean;
}

/** What follows once a stage went well on all its nodes. */
interface FollowUp {
  /**
   * What there is to say of it, in whole lines: asked of the nodes, changing
   * nothing. "" where there is nothing.
   *
   * @throws {UnreachableError}
   */
  readonly report: (
    cluster: Cluster,
    nodeOf: (name: string) => Node,
    options: RunOptions,
    selected: readonly string[],
  ) => Promise<string>;
  /**
   * What is to be done on other nodes once it was taken back on these: as far
   * as those answer, for the nodes may be taken back because they do not.
   */
  readonly afterUndo: (
    cluster: Cluster,
    undone: readonly string[],
  ) => readonly FollowUpStep[];
}

/** A numbered script. Pure: the same cluster gives the same steps. */
export interface Stage {
  readonly name: StageName;
  /** One sentence: what it is for. */
  readonly summary: string;
  /** What shows what it has done; nothing where no command of ours does. */
  readonly afterwards: (cluster: LookedAt) => Afterwards | undefined;
  /**
   * What a person has to agree to before any of it is taken back, if anything:
   * asked of the nodes, changing nothing.
   */
  readonly beforeUndo?: (
    cluster: Cluster,
    undone: readonly string[],
    nodeOf: (name: string) => Node,
    options: RunOptions,
  ) => Promise<ConsentRequest | undefined>;
  /** Its steps cannot be planned before every node's podCIDRs are known. */
  readonly needsPodCIDRs?: true;
  /** What a person should know of the machines before it runs. */
  readonly remarks?: AskRemarks;
  readonly operator?: OperatorPart;
  /** Work on the operator's machine whose result the nodes' steps need. */
  readonly build?: Build;
  /** Steps on each node. */
  readonly steps?: (plan: Plan) => readonly Step[];
  /**
   * The steps that do the same by other means, where the cluster file says so:
   * what an earlier run did of them is taken back once today's are done.
   */
  readonly instead?: (plan: Plan) => readonly Step[];
  readonly followUp?: FollowUp;
}
