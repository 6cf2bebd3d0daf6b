/** Lines for the operator's shell that run a target of the Makefile on a cluster. Pure. */
import type { Cluster } from "./cluster.ts";
import { quote } from "../exec/command.ts";

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
