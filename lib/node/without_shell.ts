/** Programs for a shell, run by a shell that is there already. Pure. */
import { type Command, quote } from "../exec/command.ts";

/** Many nodes are asked the same. */
const known = new WeakMap<Command, { readonly lines: string | undefined }>();

/**
 * A command that is a program for `sh`, as lines for a subshell of its own: to
 * start another shell takes longer than most programs.
 *
 * @returns undefined for any other command
 */
export function withoutShell(
  { command, sandbox }: {
    readonly command: Command;
    readonly sandbox?: string;
  },
): string | undefined {
  if (sandbox !== undefined) return undefined;
  const old = known.get(command);
  if (old !== undefined) return old.lines;
  const lines = linesOf(command);
  known.set(command, { lines });
  return lines;
}

function linesOf({ argv, stdin }: Command): string | undefined {
  const locale = argv[0] === "env" && argv[1] === "LC_ALL=C";
  const [shell, flag, program, , ...args] = locale ? argv.slice(2) : argv;
  const isProgram = shell === "sh" && flag === "-c" && program !== undefined;
  if (!isProgram || stdin !== undefined) return undefined;
  return [
    ...(locale ? ["export LC_ALL=C"] : []),
    ["set", "--", ...args.map(quote)].join(" "),
    // One that is no program ends this shell alone, and not that around it.
    `eval ${quote(program)}`,
  ].join("\n");
}
