/** Lines for the operator's shell that run a command on a node, or show what a stage did. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import { type Command, quote } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { isPrintable } from "../text/printable.ts";
import type { Afterwards } from "./afterwards.ts";

/** The line that runs a command on a node. */
export function shellLine(
  node: string,
  command: Command,
  cluster: Pick<Cluster, "file">,
): string {
  return makeLine("shell", cluster, {
    NODE: node,
    ARGS: ["--", ...visible(command.argv)],
  });
}

/**
 * The line that shows what a stage has done: for the operator's shell, in the
 * project's folder.
 *
 * @param node the name of the node to look at
 */
export function lookLine(
  { on, pod, run }: Afterwards,
  node: string,
  cluster: Pick<Cluster, "file">,
): string {
  const own = `${projectRoot}/`;
  if (on === "operator") {
    return (run?.argv ?? [])
      .map((part) => part.startsWith(own) ? part.slice(own.length) : part)
      .map(quote).join(" ");
  }
  return makeLine("shell", cluster, {
    NODE: node,
    ...(pod === undefined ? {} : { POD: pod }),
    ...(run === undefined ? {} : { ARGS: ["--", ...visible(run.argv)] }),
  });
}

/** The same command, with what a terminal would obey, or make take for an end, spelt by printf. */
function visible(argv: readonly string[]): readonly string[] {
  if (argv.every(isPrintable)) return argv;
  const line = argv.map(quote).join(" ");
  return ["sh", "-c", `eval "$(printf '${octal(line)}')"`];
}

/** A format of printf(1) that prints this text, in printable ASCII without quotes. */
function octal(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (character === "%") return "%%";
    return byte < 0x20 || byte > 0x7e || "'\\".includes(character)
      ? `\\${byte.toString(8).padStart(3, "0")}`
      : character;
  }).join("");
}
