/** How a script begins and ends: flags in, exit code out. */
import { printNote, printText } from "./print.ts";
import { ClusterFileError } from "../cluster/yaml.ts";
import { CommandError, quote } from "../exec/command.ts";
import { UnreachableError } from "../node/node.ts";
import { BuildError, JournalError, StepError } from "../stage/errors.ts";
import { describe } from "../stage/result.ts";
import { exitCode } from "./exit_code.ts";
import {
  type CommandLine,
  type Declared,
  type FlagsOf,
  parseFlags,
} from "./flags.ts";
import { projectVersion } from "../exec/project_version.ts";
import { helpText } from "./help.ts";
import { UsageError } from "./usage_error.ts";

/**
 * Reads the flags that a command declares, runs its body, and ends the process:
 * with the body's exit code, or with the one that its error stands for.
 *
 * @param body given the flags, and what the command takes beside them
 */
export async function runScript<D extends Declared>(
  line: CommandLine<D>,
  body: (flags: FlagsOf<D>, words: readonly string[]) => Promise<number>,
): Promise<never> {
  try {
    const parsed = parseFlags(line, Deno.args, Deno.env.toObject());
    if (parsed === "help") {
      printText(helpText(line));
      Deno.exit(exitCode.done);
    }
    if (parsed === "version") {
      printText(`deno-cni ${projectVersion()}`);
      Deno.exit(exitCode.done);
    }
    Deno.exit(await body(parsed.flags, parsed.words));
  } catch (error) {
    const [code, message] = explain(error);
    printNote(message);
    Deno.exit(code);
  }
}

function explain(error: unknown): [code: number, message: string] {
  if (error instanceof UsageError || error instanceof ClusterFileError) {
    return [exitCode.usage, error.message];
  }
  if (error instanceof UnreachableError) {
    return [exitCode.unreachable, error.message];
  }
  if (error instanceof CommandError) {
    const outcome = describe(error.outcome).replaceAll("\n", "\n  ");
    return [
      exitCode.failed,
      `${error.message}\n  run for: ${error.why}\n  ${outcome}`,
    ];
  }
  const isTold = [StepError, JournalError, BuildError]
    .some((kind) => error instanceof kind);
  if (isTold && error instanceof Error) {
    return [exitCode.failed, error.message];
  }
  const refusal = systemRefusal(error);
  if (refusal === undefined) throw error;
  return [exitCode.usage, refusal];
}

/** A file of this machine that cannot be had as it has to be: no fault of this program. */
function systemRefusal(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const [, what, path = ""] =
    /^(.*) \(os error \d+\): \w+ '(.*?)'/s.exec(error.message) ?? [];
  if (what === undefined) return undefined;
  return `${path}: ${what}\nwhat to do: look at what is there, ` +
    `ls -ld ${quote(path)}; the state of a cluster can be kept in another ` +
    "folder, which DENO_CNI_STATE names";
}
