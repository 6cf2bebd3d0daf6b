/** A plan as a script for a POSIX shell. Pure. */
import { cmd, hereDocument, paste, show } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import { oncePer } from "../cluster/once.ts";
import type { Planned, PlannedStep } from "./plan_node.ts";

/**
 * What a dry run found, as a script for a POSIX shell on the operator's
 * machine: a here-document for what runs on a node, a line for each copy, a
 * pipe for what one node gives another.
 *
 * @param nodeNamed the cluster's node of that name
 * @returns whole lines, in pieces: a thousand nodes' may be too much for one text
 */
export function script(
  stage: string,
  planned: Planned,
  nodeNamed: (name: string) => Node = noOthers,
): readonly string[] {
  const { node, steps } = planned;
  const title = `# ${stage} on ${node.name}`;
  if (steps.length === 0) return [`${title}: nothing to change\n`];
  let text: readonly string[] = [`${title}\n`];
  let body: string[] = [];
  const flush = () => {
    if (body.length === 0) return;
    text = text.concat(hereDocument(node.enter(cmd`sh -eu`), body));
    body = [];
  };
  for (const step of steps) {
    const { why, run, input } = step;
    if ("copy" in run) {
      flush();
      const copy = node.showCopy(run.copy, run.to, run.mode);
      text = text.concat(`# ${why}\n${copy}\n`);
    } else if (input !== undefined) {
      flush();
      const giver = show(nodeNamed(input.from).enter(input.ask));
      text = text.concat(`# ${why}\n${giver} | ${show(node.enter(run))}\n`);
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
  throw new TypeError(`expected to be told how the node ${name} is reached`);
}
