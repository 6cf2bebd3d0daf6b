/** The flags that several commands take, each meaning the same everywhere. */
import type { PluginForm } from "../stage/stage.ts";
import { choice, type Flag, option, switched } from "./flags.ts";

/** The flags, by the names that the code has for them. */
export const standardFlags = {
  cluster: option({
    name: "cluster",
    value: "FILE",
    does: "the cluster file",
    default: "config/lab.yaml",
    read: String,
  }),
  nodes: <Flag<readonly string[]>> {
    name: "node",
    value: "NAME",
    does: "only this node; may be given several times",
    many: true,
    read: (names) => ({ is: names }),
  },
  output: option({
    name: "output",
    letter: "o",
    value: "FORM",
    does: "table or json",
    default: "table",
    ...choice("table", "json"),
  }),
  timeout_ms: option({
    name: "timeout",
    value: "SECONDS",
    does: "time limit of a command",
    default: "30",
    expected: "a number of seconds above 0, e.g. 60",
    read: (value) =>
      /^\d+(\.\d+)?$/.test(value) && Number(value) > 0
        ? Number(value) * 1000
        : undefined,
  }),
  dryRun: switched(
    "dry-run",
    "print the commands that a run would execute, as a shell script; asks the " +
      "nodes, changes nothing",
    { excludes: "step" },
  ),
  yes: switched("yes", "do not wait, do not ask", { letter: "y" }),
  quiet: switched("quiet", "only what went wrong", { letter: "q" }),
  verbose: switched(
    "verbose",
    "every step with its reason and what it printed",
    { letter: "v", excludes: "quiet" },
  ),
};

/** These of the standard flags. */
export function standard<Name extends keyof typeof standardFlags>(
  ...names: readonly Name[]
): Pick<typeof standardFlags, Name> {
  const picked = names.map((name) => [name, standardFlags[name]]);
  return Object.fromEntries(picked);
}

/** What every stage takes. */
export const stageFlags = {
  ...standard("cluster", "nodes", "dryRun"),
  noProbes: switched(
    "no-probes",
    "with --dry-run: does not ask the nodes either",
    { needs: "dry-run" },
  ),
  step: switched("step", "show and explain each command, and wait for Enter"),
  undo: switched("undo", "take back what this changed"),
  ...standard("yes", "output", "verbose", "quiet", "timeout_ms"),
};

/** What a command takes that runs stage 09. */
export const verifyFlags = {
  all: switched("all", "every cell of the matrix, also of many nodes"),
  keep: switched("keep", "the test pods of real machines stay, too"),
};

/** What a command takes that may build the plugin. */
export const buildFlags = {
  portable: switched(
    "portable",
    "build the plugin's portable form: Deno, one bundled file, a launcher",
    { excludes: "compiled" },
  ),
  compiled: switched(
    "compiled",
    "build its compiled form, or fail; asks again for its base binary",
  ),
};

/** The form of the plugin that the flags name. */
export function formOf(
  { portable, compiled }: {
    readonly portable?: boolean;
    readonly compiled?: boolean;
  },
): PluginForm | undefined {
  if (portable) return "portable";
  return compiled ? "compiled" : undefined;
}
