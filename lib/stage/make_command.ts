/** Lines for the operator's shell that run a target of the Makefile on a cluster. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { type Command, quote } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { isPrintable } from "../text/printable.ts";
import type { Afterwards } from "./stage.ts";

/** The variables of a target, each with the arguments that the script is given by it. */
type Variables = Readonly<Record<string, string | readonly string[]>>;

/**
 * The line, with the cluster's file where it is not the one that `make` takes
 * by itself. It can be pasted into bash and dash, and shows as it is written.
 */
export function makeLine(
  target: string,
  { file }: Pick<Cluster, "file">,
  variables: Variables = {},
): string {
  const all = {
    ...(file === "config/lab.yaml" ? {} : { CLUSTER: file }),
    ...variables,
  };
  return [
    `make ${target}`,
    ...Object.entries(all).map(([name, value]) =>
      variable(name, typeof value === "string" ? [value] : value)
    ),
  ].join(" ");
}

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

/**
 * A variable of make. Three read it, one after the other: the operator's shell,
 * make, for which `$` is `$$`, and the shell that runs the recipe.
 */
function variable(name: string, args: readonly string[]): string {
  const value = args.map(quote).join(" ").replaceAll("$", "$$$$");
  // Where single quotes stand inside of double ones, bash still expands "!".
  if (/[$`"\\!]/.test(value.replaceAll(" ! ", " "))) {
    return `${name}='${value.replaceAll("'", `'\\''`)}'`;
  }
  return quote(value) === value ? `${name}=${value}` : `${name}="${value}"`;
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
