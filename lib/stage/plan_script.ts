/** A plan as a script for a POSIX shell. Pure. */
import { cmd, type Command, paste, show, withInput } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import type { Planned } from "./plan_node.ts";

/**
 * What a dry run found, as a script for a POSIX shell on the operator's
 * machine: a here-document for what runs on a node, a line for each copy, a
 * pipe for what one node gives another.
 *
 * @param nodeNamed the cluster's node of that name
 */
export function script(
  stage: string,
  planned: Planned,
  nodeNamed: (name: string) => Node = noOthers,
): string {
  const { node, steps } = planned;
  const parts = [`# ${stage} on ${node.name}`];
  if (steps.length === 0) return `${parts[0]}: nothing to change\n`;
  let body: string[] = [];
  const flush = () => {
    if (body.length === 0) return;
    const shell: Command = withInput(
      node.enter(cmd`sh -eu`),
      body.join("\n") + "\n",
    );
    parts.push(paste(shell));
    body = [];
  };
  for (const { why, run, input } of steps) {
    if ("copy" in run) {
      flush();
      parts.push(`# ${why}`, node.showCopy(run.copy, run.to, run.mode));
    } else if (input !== undefined) {
      flush();
      const giver = show(nodeNamed(input.from).enter(input.ask));
      parts.push(`# ${why}`, `${giver} | ${show(node.enter(run))}`);
    } else {
      body.push(`# ${why}`, paste(run));
    }
  }
  flush();
  return parts.join("\n") + "\n";
}

function noOthers(name: string): never {
  throw new TypeError(`nobody said which node ${name} is`);
}
