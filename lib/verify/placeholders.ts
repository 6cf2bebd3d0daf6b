/**
 * Addresses that are not known yet in a script: what stands for them, and the
 * variables of the script that take its place. Pure.
 */
import type { Family } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { workersOf } from "./matrix.ts";

/** The shell's variable for the address of a node's pod. */
export function variable(
  node: string,
  family: Family,
  cluster: Cluster,
): string {
  const at = workersOf(cluster).findIndex(({ name }) => name === node) + 1;
  return family === 4 ? `web_${at}` : `web6_${at}`;
}

/** Stands for that address in a text; url() takes it for one of its family. */
export function placeholder(node: string, family: Family): string {
  return family === 4 ? `@web.of.${node}@` : `@web::of.${node}@`;
}

/**
 * Puts the variable where its placeholder stands. The shell that reads the
 * script has to see it: within single quotes, as a command for ssh has them,
 * these are closed before it and opened again behind.
 */
export function filledIn(
  text: string,
  stand: string,
  variable: string,
): string {
  return text.split("\n").map((line) => {
    const [first = "", ...rest] = line.split(stand);
    return rest.reduce(
      (before, after) =>
        `${before}${
          isQuoted(before) ? `'"$${variable}"'` : `"$${variable}"`
        }${after}`,
      first,
    );
  }).join("\n");
}

/** Whether a line that begins like this is within single quotes, where no backslash counts. */
function isQuoted(line: string): boolean {
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === "'") quoted = !quoted;
    else if (line[at] === "\\" && !quoted) at++;
  }
  return quoted;
}
