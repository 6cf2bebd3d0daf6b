#!/usr/bin/env -S deno run -A
/**
 * What the project's pages say that commands print: run on a lab and written
 * into them, or compared (`--check`).
 */
import { type CommandLine, type FlagsOf, switched } from "../lib/cli/flags.ts";
import { cmd, ending, succeeded } from "../lib/exec/command.ts";
import { runScript } from "../lib/cli/script.ts";
import {
  agrees,
  differingLines,
  type PageCommand,
  readPage,
  rewrite,
  TranscriptError,
} from "../lib/dev/markdown_transcript.ts";
import { exitCode, usualExits } from "../lib/cli/exit_code.ts";
import { StepError } from "../lib/stage/errors.ts";
import { run } from "../lib/exec/run.ts";
import { projectRoot } from "../lib/exec/project_root.ts";

const command = {
  name: "docs",
  summary: "write what commands print into the pages that show it",
  text: [
    'Runs the commands of every block fenced as "console" in README.md and ' +
    "docs/, in their order, on a lab of its own for each page, and writes what " +
    'they print below them. "<!-- run: COMMAND -->" runs one unseen; a file ' +
    'that it writes into "$DOCS" is a picture of docs/. What differs only in ' +
    "what differs from run to run (MAC addresses, names of veths, times, which " +
    "of two pods is which) stays as it is.",
  ],
  flags: {
    check: switched("check", "write nothing; say what is not so any more"),
  },
  exits: {
    done: usualExits.done,
    failed: "a command failed, or with --check: a page is not so any more",
    usage: "wrong flags",
    interrupted: usualExits.interrupted,
  },
} satisfies CommandLine;

/** A command of a page may bring up a whole lab. */
const limit_ms = 120_000;

/** What a page is run with. */
interface Desk {
  readonly env: Readonly<Record<string, string>>;
  /** Where the pictures go. */
  readonly pictures: string;
  readonly signal: AbortSignal;
}

interface Difference {
  readonly where: string;
  readonly said: readonly string[];
  readonly printed: readonly string[];
}

async function docs({ check }: FlagsOf<typeof command.flags>): Promise<number> {
  const interruption = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => interruption.abort());
  }
  // Paths in the project are shown from its root on, so that lines break alike everywhere.
  const dir = `${projectRoot}/.state`;
  await Deno.mkdir(dir, { recursive: true });
  const folder = await Deno.makeTempDir({ dir, prefix: "docs-" });
  const pictures = `${folder}/pictures`;
  await Deno.mkdir(pictures);
  // A user's terminal is not to be seen in the pages, nor the make that this runs under.
  const env = {
    ...ownEnvironment(),
    DENO_CNI_STATE: `${folder}/state`,
    DOCS: pictures,
    NO_COLOR: "1",
    COLUMNS: "80",
  };
  const desk = { env, pictures, signal: interruption.signal };
  try {
    const differences: Difference[] = [];
    for (const page of await pages()) {
      differences.push(...await runPage(page, check, desk));
    }
    differences.push(...await comparePictures(desk, check));
    if (interruption.signal.aborted) return exitCode.interrupted;
    for (const difference of differences) console.log(tell(difference));
    if (!check) return exitCode.done;
    console.log(
      differences.length === 0
        ? "The pages say what the commands print"
        : `${differences.length} places differ; make docs writes them anew`,
    );
    return differences.length === 0 ? exitCode.done : exitCode.failed;
  } finally {
    await run(cmd`make down`, { env, cwd: projectRoot });
    await Deno.remove(folder, { recursive: true });
  }
}

/** This process's environment, without what its make or its user said of a cluster. */
function ownEnvironment(): Record<string, string> {
  const foreign = /^(MAKE|DENO_CNI_|(ARGS|CLUSTER|NODE|POD|FROM|TO|RUNTIME)$)/;
  return Object.fromEntries(
    Object.entries(Deno.env.toObject()).filter(([name]) => !foreign.test(name)),
  );
}

async function pages(): Promise<readonly string[]> {
  const found = ["README.md"];
  for await (const { name } of Deno.readDir(`${projectRoot}/docs`)) {
    if (name.endsWith(".md")) found.push(`docs/${name}`);
  }
  return found.sort();
}

/** Runs a page's commands on a fresh lab, and writes what has changed unless it is only checked. */
async function runPage(
  page: string,
  check: boolean,
  desk: Desk,
): Promise<readonly Difference[]> {
  const path = `${projectRoot}/${page}`;
  const text = await Deno.readTextFile(path);
  const entries = readEntries(page, text);
  const differences: Difference[] = [];
  const now = new Map<number, readonly string[]>();
  for (const entry of entries) {
    if (desk.signal.aborted) return [];
    const printed = await execute(page, entry, desk);
    if (entry.is === "run" || agrees(entry.said, printed)) continue;
    const where = `${page}:${entry.line}: ${entry.command}`;
    differences.push({ where, said: entry.said, printed });
    now.set(entry.line, printed);
  }
  if (entries.length > 0) {
    await run(cmd`make down`, { env: desk.env, cwd: projectRoot });
  }
  if (!check && now.size > 0) {
    await Deno.writeTextFile(path, rewrite(text, now));
  }
  return differences;
}

function readEntries(page: string, text: string): readonly PageCommand[] {
  try {
    return readPage(text);
  } catch (error) {
    if (!(error instanceof TranscriptError)) throw error;
    throw new StepError(`${page}: ${error.message}`);
  }
}

async function execute(
  page: string,
  entry: PageCommand,
  { env, signal }: Desk,
): Promise<readonly string[]> {
  const both = `exec 2>&1; ${entry.command}`;
  const outcome = await run(cmd`sh -c ${both}`, {
    env,
    signal,
    cwd: projectRoot,
    timeout_ms: limit_ms,
  });
  const failed = entry.is === "run" && !succeeded(outcome);
  // A command that is shown may fail: that may be what there is to see.
  if (failed || outcome.ended === "timed out") {
    throw new StepError(
      `${page}:${entry.line}: ${entry.command}: ${
        ending(outcome)
      }\n${outcome.stdout}`,
    );
  }
  return hide(outcome.stdout, env).split("\n");
}

/** The text without this machine's own paths. */
function hide(text: string, env: Desk["env"]): string {
  return text
    .replaceAll(`${projectRoot}/`, "")
    .replaceAll(
      (env.DENO_CNI_STATE ?? "").replace(`${projectRoot}/`, ""),
      ".state",
    )
    .replaceAll(Deno.realPathSync(Deno.execPath()), "deno")
    .replaceAll(Deno.execPath(), "deno");
}

/** Compares the pictures that were made with those of docs/, and puts changed ones there. */
async function comparePictures(
  { pictures }: Desk,
  check: boolean,
): Promise<readonly Difference[]> {
  const differences: Difference[] = [];
  for await (const { name } of Deno.readDir(pictures)) {
    const path = `${projectRoot}/docs/${name}`;
    const said = await lines(path);
    const printed = await lines(`${pictures}/${name}`);
    if (agrees(said, printed)) continue;
    differences.push({ where: `docs/${name}`, said, printed });
    if (!check) await Deno.copyFile(`${pictures}/${name}`, path);
  }
  return differences;
}

async function lines(path: string): Promise<readonly string[]> {
  try {
    return (await Deno.readTextFile(path)).trimEnd().split("\n");
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function tell({ where, ...whole }: Difference): string {
  const { said, printed } = differingLines(whole.said, whole.printed);
  const some = (sign: string, lines: readonly string[]) =>
    lines.slice(0, 40).map((line) => `  ${sign} ${line}`);
  return [where, ...some("-", said), ...some("+", printed)].join("\n");
}

await runScript(command, docs);
