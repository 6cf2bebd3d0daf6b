/**
 * The compiled form of the plugin: one executable, made by `deno compile`,
 * which fetches a base binary (`denort`) at first use. That it could not be had
 * is remembered, so that the next build does not wait for it again.
 */
import {
  cmd,
  type Command,
  ending,
  type Outcome,
  succeeded,
} from "../exec/command.ts";
import { permissions } from "./portable.ts";
import { ignoreAbsent, writeWhole } from "../exec/atomic_file.ts";
import { run } from "../exec/run.ts";

/** The processors that nodes may have, as `uname -m` and Deno name them. */
export type Architecture = "x86_64" | "aarch64";

/**
 * The command that compiles; for the tests, which run it as far as it goes
 * without a base binary.
 */
export function compileCommand(
  root: string,
  architecture: Architecture,
  output: string,
): Command {
  const deno = Deno.execPath();
  const target = `${architecture}-unknown-linux-gnu`;
  const source = compiledSource(root);
  const flags =
    cmd`--quiet --no-config --no-check --no-code-cache ${permissions}`;
  const files = cmd`--target ${target} --output ${output} ${source}`;
  return cmd`env NO_COLOR=1 ${deno} compile ${flags.argv} ${files.argv}`;
}

/** What is compiled: all bundles in one. */
export function compiledSource(root: string): string {
  return `${root}/dist/deno-cni-compiled/deno-cni.js`;
}

/**
 * Compiles the bundle that is in `dist/`.
 *
 * @returns why there is no executable, or undefined when there is one
 */
export async function compile(
  root: string,
  architecture: Architecture,
  timeout_ms: number,
): Promise<string | undefined> {
  const output = `${root}/dist/deno-cni.tmp`;
  const outcome = await run(compileCommand(root, architecture, output), {
    timeout_ms,
  });
  if (!succeeded(outcome)) return whyNot(outcome, timeout_ms);
  const wrong = architecture === Deno.build.arch
    ? await tryOut(output)
    : undefined;
  if (wrong !== undefined) {
    await Deno.remove(output);
    return wrong;
  }
  await Deno.rename(output, `${root}/dist/deno-cni-compiled/deno-cni`);
  return undefined;
}

function whyNot(outcome: Outcome, timeout_ms: number): string {
  const { ended, stderr } = outcome;
  if (ended === "timed out") {
    return `Deno's base binary (denort) did not come within ${
      timeout_ms / 1000
    } s`;
  }
  if (
    stderr.includes("base binary") && stderr.includes("error sending request")
  ) {
    return "Deno's base binary (denort) cannot be fetched from here";
  }
  const line = stderr.split("\n").find((line) => line.startsWith("error: "));
  return line?.replace("error: ", "") ?? ending(outcome);
}

/** Asks a freshly made executable for its VERSION; gives what is wrong with its answer. */
async function tryOut(executable: string): Promise<string | undefined> {
  const outcome = await run(cmd`${executable}`, {
    timeout_ms: 5_000,
    env: { CNI_COMMAND: "VERSION" },
  });
  if (succeeded(outcome) && outcome.stdout.includes('"supportedVersions"')) {
    return undefined;
  }
  return "what deno compile wrote does not answer VERSION; is DENORT_BIN no denort?";
}

/** Where it is kept that the base binary could not be had. */
function memory(root: string, architecture: Architecture): string {
  return `${root}/.tools/no-denort-${Deno.version.deno}-${architecture}`;
}

/**
 * @returns why the base binary could not be had the last time;
 * undefined where it has to be tried
 */
export async function recall(
  root: string,
  architecture: Architecture,
): Promise<string | undefined> {
  // One has been named since.
  if (Deno.env.get("DENORT_BIN") !== undefined) return undefined;
  try {
    return (await Deno.readTextFile(memory(root, architecture))).trim();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Remembers it. */
export async function remember(
  root: string,
  architecture: Architecture,
  reason: string,
): Promise<void> {
  await Deno.mkdir(`${root}/.tools`, { recursive: true });
  await writeWhole(memory(root, architecture), `${reason}\n`);
}

/** Forgets it. */
export async function forget(
  root: string,
  architecture: Architecture,
): Promise<void> {
  await Deno.remove(memory(root, architecture)).catch(ignoreAbsent);
}
