/** The only place that parses flags: what the user asked for, checked. */
// @ts-types="../std/parse_args.d.ts"
import { parseArgs } from "@std/cli/parse-args";
import type { PluginForm, Stage } from "../stage/stage.ts";
import { UsageError } from "./usage_error.ts";

/** What the user asked for. */
export interface Flags {
  /** The cluster file. */
  readonly cluster: string;
  /** Names of the nodes to work on; empty: all. */
  readonly nodes: readonly string[];
  readonly dryRun: boolean;
  /** With dryRun: plan without asking the nodes. */
  readonly noProbes: boolean;
  readonly step: boolean;
  readonly undo: boolean;
  /** Whether the test pods of real machines stay (scripts/09-verify.ts, scripts/up.ts). */
  readonly keep?: true;
  readonly yes: boolean;
  readonly output: "table" | "json";
  readonly verbose: boolean;
  readonly quiet: boolean;
  /** Time limit of a command. */
  readonly timeout_ms: number;
  /** The plugin's form, where somebody insists. */
  readonly form: PluginForm | undefined;
  /** The pod to go to (scripts/shell.ts). */
  readonly pod?: string;
  /** The ends of a path, as the user names them, and the family to look at (scripts/trace.ts). */
  readonly from?: string;
  readonly to?: string;
  readonly family?: 4 | 6;
  /** What was given beside flags, where the script takes that. */
  readonly words: readonly string[];
  /** Compare only (scripts/docs.ts). */
  readonly check?: true;
  /** To listen on; 0 for any that is free (scripts/watch.ts). */
  readonly port?: number;
  /** The form of a picture, where it goes, and what is drawn over it (scripts/picture.ts). */
  readonly format?: string;
  readonly out?: string;
  readonly trace?: string;
}

const booleans = [
  "dry-run",
  "no-probes",
  "step",
  "undo",
  "keep",
  "yes",
  "verbose",
  "quiet",
  "portable",
  "compiled",
  "check",
  "help",
];
const strings = [
  ...["cluster", "node", "output", "timeout", "pod", "from", "to", "family"],
  ...["port", "format", "out", "trace"],
];

/** What every script's `--help` ends with. */
export const flagsHelp = `Flags:
  --cluster FILE     the cluster file (default config/lab.yaml, or $DENO_CNI_CLUSTER)
  --node NAME        only this node; may be given several times
  --dry-run          print the commands that a run would execute, as a shell script;
                     asks the nodes, changes nothing (--no-probes: does not ask either)
  --step             show and explain each command, and wait for Enter
  --undo             take back what this stage changed
  -y, --yes          do not wait, do not ask
  -o, --output FORM  table or json (default table, or $DENO_CNI_OUTPUT)
  -v, --verbose      every step with its reason and what it printed
  -q, --quiet        only what went wrong
  --timeout SECONDS  time limit of a command (default 30, or $DENO_CNI_TIMEOUT)
  -h, --help         this text

Exit codes: 0 done, 1 a step or check failed, 2 wrong flags or cluster file,
            4 a node could not be reached, 130 interrupted.`;

/** The text of a stage's `--help`. */
export function stageHelp(stage: Stage): string {
  const script = `scripts/${stage.name}.ts`;
  return `${script}: ${stage.summary}

Usage: ${script} [flags]
       make ${stage.name} [ARGS="flags"]

Examples:
  make ${stage.name} ARGS="--dry-run"
  make ${stage.name} ARGS="--node worker-1 --step"
  make ${stage.name} ARGS="--undo"

Afterwards: ${stage.afterwards}

${flagsHelp}${
    stage.build === undefined ? "" : `

This stage also takes:
  --portable         build the portable form: Deno, one bundled file, a launcher
  --compiled         build the compiled form, or fail; asks again for its base binary`
  }`;
}

/**
 * Reads the flags. A flag beats the environment, which beats the default.
 *
 * @param environment the environment's variables
 * @param takesWords whether there may be more than flags
 * @returns the flags, or "help" where that was asked for
 * @throws {UsageError} naming the flag, its value and what was expected
 */
export function parseFlags(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  takesWords = false,
): Flags | "help" {
  const wrong: string[] = [];
  const parsed = parseArgs(joined(args), {
    boolean: booleans,
    string: strings,
    collect: strings,
    alias: { y: "yes", o: "output", v: "verbose", q: "quiet", h: "help" },
    unknown: (arg, key) => {
      if (takesWords && key === undefined) return true;
      wrong.push(arg);
      return false;
    },
  });
  if (parsed.help === true) return "help";
  if (wrong.length > 0) {
    throw new UsageError(
      `${wrong.join(" ")}: no such flag; --help lists them`,
    );
  }
  const text = (name: string): string | undefined => {
    const [value, ...more] = parsed[name] as string[];
    if (more.length > 0) {
      throw new UsageError(`--${name} was given twice; give it once`);
    }
    if (value === undefined) {
      return environment[`DENO_CNI_${name.toUpperCase()}`] || undefined;
    }
    if (value === "") {
      throw new UsageError(`--${name} wants a value; --help says which`);
    }
    return value;
  };
  const nodes = parsed.node as string[];
  if (nodes.includes("")) {
    throw new UsageError("--node wants the name of a node of the cluster file");
  }
  const output = text("output") ?? "table";
  if (output !== "table" && output !== "json") {
    throw new UsageError(`--output ${output}: expected table or json`);
  }
  const timeout = text("timeout") ?? "30";
  if (!/^\d+(\.\d+)?$/.test(timeout) || Number(timeout) === 0) {
    throw new UsageError(
      `--timeout ${timeout}: expected a number of seconds above 0, e.g. 60`,
    );
  }
  const pod = text("pod");
  const format = text("format");
  const out = text("out");
  const trace = text("trace");
  const port = text("port");
  if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) < 65536)) {
    throw new UsageError(
      `--port ${port}: expected a number from 0 to 65535; 0 takes any that is free`,
    );
  }
  const from = text("from");
  const to = text("to");
  const family = text("family");
  if (family !== undefined && family !== "4" && family !== "6") {
    throw new UsageError(`--family ${family}: expected 4 or 6`);
  }
  const flag = (name: string) => parsed[name] === true;
  const exclusive = (a: string, b: string) => {
    if (flag(a) && flag(b)) {
      throw new UsageError(`--${a} and --${b} exclude each other; give one`);
    }
  };
  exclusive("portable", "compiled");
  exclusive("verbose", "quiet");
  exclusive("dry-run", "step");
  if (flag("no-probes") && !flag("dry-run")) {
    throw new UsageError("--no-probes goes with --dry-run");
  }
  return {
    cluster: text("cluster") ?? "config/lab.yaml",
    nodes,
    dryRun: flag("dry-run"),
    noProbes: flag("no-probes"),
    step: flag("step"),
    undo: flag("undo"),
    yes: flag("yes"),
    output,
    verbose: flag("verbose"),
    quiet: flag("quiet"),
    timeout_ms: Number(timeout) * 1000,
    form: flag("portable")
      ? "portable"
      : flag("compiled")
      ? "compiled"
      : undefined,
    ...(pod === undefined ? {} : { pod }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(family === undefined ? {} : { family: family === "4" ? 4 : 6 }),
    ...givenSwitches(flag),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(format === undefined ? {} : { format }),
    ...(out === undefined ? {} : { out }),
    ...(trace === undefined ? {} : { trace }),
    words: takesWords ? parsed._.map(String) : [],
  };
}

/** The switches that are absent where they were not given. */
function givenSwitches(
  flag: (name: string) => boolean,
): Pick<Flags, "check" | "keep"> {
  return {
    ...(flag("check") ? { check: true } : {}),
    ...(flag("keep") ? { keep: true } : {}),
  };
}

/** The parser takes a lone "-" for no flag's value, while it stands for stdout after --out. */
function joined(args: readonly string[]): string[] {
  return args.flatMap((arg, at) => {
    if (arg === "--out" && args[at + 1] === "-") return ["--out=-"];
    return arg === "-" && args[at - 1] === "--out" ? [] : [arg];
  });
}
