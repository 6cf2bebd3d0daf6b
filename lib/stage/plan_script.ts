/** A plan as a script for a POSIX shell. Pure. */
import { cmd, paste, show, withInput } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import { oncePer } from "../cluster/once.ts";
import type { Planned, PlannedStep } from "./plan_node.ts";

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
  let text = `# ${stage} on ${node.name}`;
  if (steps.length === 0) return `${text}: nothing to change\n`;
  text += "\n";
  let body: string[] = [];
  const flush = () => {
    if (body.length === 0) return;
    text += `${paste(withInput(node.enter(cmd`sh -eu`), body.join("")))}\n`;
    body = [];
  };
  for (const step of steps) {
    const { why, run, input } = step;
    if ("copy" in run) {
      flush();
      text += `# ${why}\n${node.showCopy(run.copy, run.to, run.mode)}\n`;
    } else if (input !== undefined) {
      flush();
      const giver = show(nodeNamed(input.from).enter(input.ask));
      text += `# ${why}\n${giver} | ${show(node.enter(run))}\n`;
    } else {
      body.push(linesOf(step));
    }
  }
  flush();
  return text;
}

/** Many nodes may have the step, and the same lines for it. */
const linesOf = oncePer(({ why, run }: PlannedStep) =>
  "copy" in run ? "" : `# ${why}\n${paste(run)}\n`
);

function noOthers(name: string): never {
  throw new TypeError(`nobody said which node ${name} is`);
}
