/**
 * How a node's network and its pods' are set, a line a thing, so that two
 * moments can be compared (see fingerprint_lines.ts for what the lines say).
 */
import { cmd, CommandError, type RunOptions } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { askParts, partsCommand, readParts } from "../node/parts.ts";
import type { Node } from "../node/node.ts";
import { configFolder, pluginFolder } from "../cni/runtime.ts";
import { fileLines, networkLines } from "./fingerprint_lines.ts";

/** What became of a node's network between two fingerprints. */
interface Difference {
  readonly gone: readonly string[];
  readonly added: readonly string[];
}

const program = shellProgram("fingerprint.sh", import.meta.url);

/** Where the plugin keeps its leases where its configuration names no other folder. */
const stores = "/run/deno-cni/networks";

/**
 * Asks a node; changes nothing.
 *
 * @param pods its pods of interest, each with the path of its network namespace
 * @throws {CommandError} when it cannot be asked
 * @throws {UnreachableError}
 */
export async function fingerprint(
  node: Node,
  pods: ReadonlyMap<string, string> = new Map(),
  options?: RunOptions,
): Promise<readonly string[]> {
  const args = [configFolder, pluginFolder, stores];
  const [own, ...inside] = await Promise.all([
    askParts(node, { name: "fingerprint", program, args }, options),
    ...[...pods].map(([name, sandbox]) => inPod(node, name, sandbox, options)),
  ]);
  if (own.parts === undefined) {
    const why = "see how its network is set";
    throw new CommandError(node.name, own.command, own.outcome, why);
  }
  const { lines, leased } = fileLines(own.parts);
  return [
    ...networkLines(own.parts, [...pods.keys()]),
    ...lines,
    ...inside.flatMap(({ name, parts }) =>
      parts === undefined
        ? [`pod ${name}: is not there`]
        : networkLines(parts, [], leased).map((line) => `pod ${name}: ${line}`)
    ),
  ].toSorted();
}

/** A pod that is gone says nothing, which is no failure of its node's. */
const ifThere = '[ -e "$1" ] || exit 0; sandbox=$1; shift; ' +
  'exec nsenter --net="$sandbox" "$@"';

async function inPod(
  node: Node,
  name: string,
  sandbox: string,
  options: RunOptions | undefined,
) {
  const boundary = crypto.randomUUID();
  const question = { name: "fingerprint", program, args: [] };
  const { argv } = partsCommand(question, boundary);
  const command = cmd`sh -c ${ifThere} inside ${sandbox} ${argv}`;
  const outcome = await node.run(command, options);
  return { name, parts: readParts(outcome, boundary) };
}

/** What is no longer as it was. */
export function fingerprintDifference(
  before: readonly string[],
  now: readonly string[],
): Difference {
  return { gone: missingIn(before, now), added: missingIn(now, before) };
}

/** The lines of one that the other has not, or has less often. */
function missingIn(one: readonly string[], other: readonly string[]): string[] {
  const left = [...other];
  return one.filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
