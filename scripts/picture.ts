#!/usr/bin/env -S deno run -A
/** The cluster as it is, as a picture: `make picture`. */
import { printData, printNote, printText } from "../lib/cli/print.ts";
import { reachOf } from "../lib/cli/connect.ts";
import {
  choice,
  type CommandLine,
  type FlagsOf,
  option,
} from "../lib/cli/flags.ts";
import { standard, standardFlags } from "../lib/cli/standard_flags.ts";
import { type Inventory, inventory } from "../lib/inventory/inventory.ts";
import { runScript } from "../lib/cli/script.ts";
import { drawMermaid, drawSvg } from "../lib/picture/picture.ts";
import { pictureChanges } from "../lib/picture/diff.ts";
import { isWell, type TraceReport } from "../lib/trace/report.ts";
import { ignoreAbsent, writeWhole } from "../lib/exec/atomic_file.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const command = {
  name: "picture",
  summary: "draw the cluster as it is, read from its nodes",
  text: [
    "What is new since the last picture of the cluster is marked so, and told.",
  ],
  examples: [
    ["make picture", "writes .state/<cluster>/picture.svg"],
    ['make picture ARGS="--format mermaid --out -"', "for Markdown"],
    [
      'make trace FROM=worker-1/shell TO=outside ARGS="-o json" >trace.json',
      'then make picture ARGS="--trace trace.json" draws the packet\'s way over it',
    ],
  ],
  flags: {
    ...standard("cluster"),
    format: option({
      name: "format",
      value: "FORMAT",
      does: "svg or mermaid",
      default: "svg",
      ...choice("svg", "mermaid"),
    }),
    out: option({
      name: "out",
      value: "FILE",
      does:
        "where to, instead of .state/<cluster>/picture.svg or picture.mmd; - for stdout",
      read: String,
    }),
    trace: option({
      name: "trace",
      value: "FILE",
      does: "what scripts/trace.ts -o json printed, drawn over an SVG",
      read: String,
    }),
    output: {
      ...standardFlags.output,
      does:
        "json: what was read, as data: the type Inventory in lib/inventory/inventory.ts",
    },
    quiet: { ...standardFlags.quiet, does: "does not tell what is new" },
    ...standard("timeout_ms"),
  },
  exits: {
    done: usualExits.done,
    usage: usualExits.usage,
    unreachable:
      "a node could not be reached (it is in the picture, with the reason)",
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function picture(flags: Flags): Promise<number> {
  const cluster = await loadCluster(flags.cluster);
  const { format } = flags;
  if (format === "mermaid" && flags.trace !== undefined) {
    throw new UsageError("--trace is drawn over an SVG: leave --format away");
  }
  const trace = flags.trace === undefined
    ? undefined
    : await readTrace(flags.trace);
  const now = await inventory(cluster, reachOf(cluster), {
    timeout_ms: flags.timeout_ms,
  });
  const silent = now.nodes.flatMap(({ name, host }) =>
    host.is === "unreachable" ? [`${name}: ${host.why}`] : []
  );
  const code = silent.length === 0 ? exitCode.done : exitCode.unreachable;
  if (flags.output === "json") {
    printData(now);
    return code;
  }
  const memory = `${cluster.stateDir}/picture.json`;
  const before = await readBefore(memory);
  const options = {
    cluster,
    ...(before === undefined ? {} : { before }),
    ...(trace === undefined ? {} : { trace }),
  };
  const text = format === "svg"
    ? drawSvg(now, options)
    : drawMermaid(now, options);
  await Deno.mkdir(cluster.stateDir, { recursive: true });
  if (flags.out === "-") printText(text.trimEnd());
  else {
    const ending = format === "svg" ? "svg" : "mmd";
    const path = flags.out ?? `${cluster.stateDir}/picture.${ending}`;
    await put(path, text);
    printText(path);
  }
  await writeWhole(memory, JSON.stringify(now));
  for (const line of silent) printNote(`does not answer: ${line}`);
  if (before !== undefined && !flags.quiet) {
    for (const line of pictureChanges(before, now, cluster)) {
      printNote(`since the last picture: ${line}`);
    }
  }
  return code;
}

/** Writes the picture where the user wants it. */
async function put(path: string, text: string): Promise<void> {
  try {
    await writeWhole(path, text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(
      `--out ${path}: expected a file in a folder that is there and may be ` +
        `written; ${error.message}`,
    );
  }
}

async function readTrace(path: string): Promise<TraceReport> {
  const wrong = (why: string) =>
    new UsageError(
      `--trace ${path}: expected what scripts/trace.ts -o json printed; ${why}`,
    );
  try {
    const value = JSON.parse(await Deno.readTextFile(path));
    if (value?.version === 1 && Array.isArray(value.hops)) {
      return drawn(value);
    }
    throw wrong("it is other JSON");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw wrong("it is not there");
    if (error instanceof SyntaxError) throw wrong("it is no JSON");
    if (error instanceof UsageError || !(error instanceof Error)) throw error;
    throw wrong(error.message);
  }
}

/** Of two families the one that something is wrong with, or else the first. */
function drawn({ otherFamily, ...first }: TraceReport): TraceReport {
  return otherFamily !== undefined && isWell(first) && !isWell(otherFamily)
    ? otherFamily
    : first;
}

/**
 * The cluster at the last picture; undefined at the first, and where what was
 * kept is of another version.
 */
async function readBefore(path: string): Promise<Inventory | undefined> {
  const text = await Deno.readTextFile(path).catch(ignoreAbsent);
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text);
    return value?.version === 1 ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

await runScript(command, picture);
