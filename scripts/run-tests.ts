#!/usr/bin/env -S deno run -A
/** Checks and tests: `make check`, `make test`. */
import { cmd, type Command, succeeded } from "../lib/exec/command.ts";
import { runContained } from "../lib/dev/contained.ts";
import {
  countLine,
  type Counts,
  total,
  wentWell,
} from "../lib/dev/deno_test_output.ts";
import {
  nameFailures,
  runGroups,
  tryAgain,
} from "../lib/dev/run_test_groups.ts";
import { alone, type TestGroup, together } from "../lib/dev/test_groups.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import type { CommandLine } from "../lib/cli/flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { projectRoot } from "../lib/exec/project_root.ts";
import { columns } from "../lib/text/wrap.ts";
import { run } from "../lib/exec/run.ts";

const command = {
  name: "run-tests",
  summary: "check the sources and run the tests",
  usage: [
    "scripts/run-tests.ts check | all | FILE…",
    "make check",
    'make test [ARGS="FILE…"]',
  ],
  text: [
    columns([
      ["check", "format, lint, types and the quick tests (*_test.ts)"],
      ["all", "these, and the tests that make namespaces (*_lab_test.ts)"],
      ["FILE…", "these test files alone, with all that they print"],
    ]),
    "Two files more run side by side than there are processors, but at most 5, " +
    "or as DENO_JOBS says; quick tests share processes. What failed beside others " +
    "is tried once more with nothing beside it, and named as unsteady where it " +
    "passes then. What failed is named at the end; the last line is the count.",
  ],
  flags: {},
  takes: "words",
  exits: {
    done: "nothing failed",
    failed: "something did or no test ran",
    usage: "wrong usage",
    interrupted: usualExits.interrupted,
  },
} satisfies CommandLine;

/** A test file that takes longer hangs. */
const fileLimit_ms = 600_000;

const interruption = new AbortController();

async function main(args: readonly string[]): Promise<number> {
  const [what] = args;
  if (what === undefined) {
    throw new UsageError("expected check, all or files; --help says more");
  }
  if (what === "contained") return await runAll(args.slice(1));
  if (Deno.uid() !== 0) return await runAll(args);
  return await runContained(
    cmd`${Deno.execPath()} run -A --cached-only --frozen ${
      import.meta.filename ?? ""
    } contained ${args}`,
  );
}

async function runAll(args: readonly string[]): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interruption.abort());
  }
  const [what] = args;
  const named = what === "check" || what === "all" ? undefined : args;
  const checked = named === undefined ? await checkSources() : [];
  const groups = named?.map((file) => alone(file, projectRoot)) ??
    await testGroups(what === "all");
  const how = {
    jobs: jobs(),
    verbose: named !== undefined,
    limit_ms: fileLimit_ms,
    signal: interruption.signal,
  };
  const tested = await runGroups(groups, how);
  const settled = how.verbose ? tested : await tryAgain(tested, how);
  if (interruption.signal.aborted) {
    console.error("interrupted");
    return exitCode.interrupted;
  }
  const counts = total([...checked, ...settled.map(({ result }) => result)]);
  if (counts.skipped > 0 && Deno.uid() !== 0) {
    console.log("As root, or with sudo, the tests that need it run too.");
  }
  nameFailures(settled);
  console.log(countLine(counts));
  return wentWell(counts) ? exitCode.done : exitCode.failed;
}

const sources = ["lib", "plugin", "scripts"];

/** Format, lint and types; one failed each that is not clean. */
async function checkSources(): Promise<Counts[]> {
  const deno = Deno.execPath();
  return await Promise.all([
    check(cmd`${deno} fmt --check`, "not formatted: make fmt"),
    check(cmd`${deno} lint --quiet`, "lint"),
    check(cmd`${deno} check --quiet --frozen ${sources}`, "types"),
  ]);
}

async function check(command: Command, name: string): Promise<Counts> {
  const outcome = await run(command, {
    cwd: projectRoot,
    timeout_ms: fileLimit_ms,
    signal: interruption.signal,
  });
  const failed = succeeded(outcome) ? 0 : 1;
  if (failed > 0 && outcome.ended !== "interrupted") {
    console.log(`FAILED: ${name}\n${outcome.stdout}${outcome.stderr}`);
  }
  return { passed: 0, failed, skipped: 0 };
}

/**
 * The tests in the order of their beginning. Those that take longest are those
 * of whole commands (scripts/), then of the plugin; they begin first, so that
 * the run does not end with one of them alone, and the quick tests fill the gaps.
 */
async function testGroups(withLab: boolean): Promise<TestGroup[]> {
  const found: string[] = [];
  const look = async (folder: string) => {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) await look(`${folder}/${name}`);
      else if (name.endsWith("_test.ts")) found.push(`${folder}/${name}`);
    }
  };
  await Promise.all(sources.map((folder) => look(`${projectRoot}/${folder}`)));
  const isLab = (file: string) => file.endsWith("_lab_test.ts");
  const quick = await quickGroups(found.filter((file) => !isLab(file)).sort());
  if (!withLab) return quick;
  // Tests that start the plugin side by side shall find it built.
  const build = cmd`${Deno.execPath()} run -A scripts/plugin.ts`;
  const built = await check(build, "the plugin cannot be built");
  const lab = found.filter(isLab).sort().toReversed();
  if (built.failed > 0) return quick;
  return [...lab.map((file) => alone(file, projectRoot)), ...quick];
}

/** A snapshot lies beside the file that a test run begins with: those run alone. */
async function quickGroups(files: readonly string[]): Promise<TestGroup[]> {
  const texts = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  const hasSnapshots = (index: number) =>
    texts[index]?.includes("@std/testing/snapshot") ?? false;
  const lone = files.filter((_, index) => hasSnapshots(index));
  const shared = files.filter((_, index) => !hasSnapshots(index));
  return [
    ...together(shared, jobs()),
    ...lone.map((file) => alone(file, projectRoot)),
  ];
}

/** Two more than there are processors: a test often waits for something. */
function jobs(): number {
  const asked = Number(Deno.env.get("DENO_JOBS"));
  return Number.isInteger(asked) && asked > 0
    ? asked
    : Math.min(3, navigator.hardwareConcurrency) + 2;
}

await runScript(command, (_flags, words) => main(words));
