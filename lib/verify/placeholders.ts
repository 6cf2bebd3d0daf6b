/**
 * Addresses that are not known yet in a script: what stands for them, and the
 * variables of the script that take its place. Pure.
 */
import type { Family } from "../net/cidr.ts";
import { familiesOf } from "../cluster/address_family.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { workersOf } from "./matrix.ts";

/** The shell's variables for the addresses of nodes' pods, by what stands for them. */
export function variablesOf(cluster: Cluster): ReadonlyMap<string, string> {
  const workers = workersOf(cluster);
  return new Map(
    familiesOf(cluster).flatMap((family) =>
      workers.map(({ name }, at) =>
        [
          placeholder(name, family),
          `${family === 4 ? "web" : "web6"}_${at + 1}`,
        ] as const
      )
    ),
  );
}

/** Stands for that address in a text; url() takes it for one of its family. */
export function placeholder(node: string, family: Family): string {
  return family === 4 ? `@web.of.${node}@` : `@web::of.${node}@`;
}

/** A placeholder, or what decides whether one is within single quotes. */
const token = /@web(?:\.|::)of\.[^@\s]+@|['\\\n]/g;

/**
 * Puts variables where their placeholders stand. The shell that reads the
 * script has to see them: within single quotes, as a command for ssh has them,
 * these are closed before a variable and opened again behind. No quotes go on
 * in the next line.
 *
 * @param variables by placeholder
 */
export function filledIn(
  text: string,
  variables: ReadonlyMap<string, string>,
): string {
  let quoted = false;
  let escaped: number | undefined;
  return text.replace(token, (found, at: number) => {
    if (at === escaped) return found;
    if (found === "\n") quoted = false;
    else if (found === "'") quoted = !quoted;
    // Within single quotes, no backslash counts.
    else if (found !== "\\") {
      const variable = variables.get(found);
      if (variable === undefined) return found;
      return quoted ? `'"$${variable}"'` : `"$${variable}"`;
    } else if (!quoted) escaped = at + 1;
    return found;
  });
}
