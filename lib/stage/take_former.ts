/** Ahead of a stage's steps: taking back what an earlier run did, and they do not ask for. */
import { decide } from "./decide.ts";
import type { Command } from "../exec/command.ts";
import { StepError } from "./errors.ts";
import { foresee, goingFirst, isOurs } from "./former.ts";
import { find, type NodeRun, noLongerWanted } from "./node_run.ts";
import type { Step } from "./stage.ts";
import { takeBack } from "./undo.ts";

/**
 * Takes back what an earlier run did and neither of these asks for; nothing of it
 * where a step would be refused all the same, or what goes ahead did not succeed.
 *
 * @param first does the steps that go ahead
 * @returns what became of these; undefined where nothing of ours goes, and they were not done
 */
export async function takeFormer<Went>(
  nodeRun: NodeRun,
  steps: readonly Step[],
  instead: readonly Step[],
  first: () => Promise<Went | "stop">,
): Promise<Went | "stop" | undefined> {
  const former = goingFirst(nodeRun.records(), [...steps, ...instead]);
  let went: Went | "stop" | undefined;
  if (former.some(isOurs)) {
    // A cloud's limits count what goes, too.
    const isNode = nodeRun.node.name !== "operator";
    const undos = former.flatMap((one) => isOurs(one) ? one.undo ?? [] : []);
    if (isNode && await isRefused(nodeRun, steps, undos)) return "stop";
    went = await first();
    if (went === "stop") return went;
    nodeRun.askAnew();
  }
  const back = await takeBack(nodeRun, former, [], noLongerWanted);
  return back === "stop" ? back : went;
}

/** Whether something that is not ours is in the way of a step; told then. */
async function isRefused(
  nodeRun: NodeRun,
  steps: readonly Step[],
  undos: readonly Command[],
): Promise<boolean> {
  const { node, journal, stage } = nodeRun;
  const answers = await nodeRun.askAhead(steps);
  const foreseen = foresee(undos);
  for (const step of steps) {
    const known = answers.get(step);
    if (known === undefined) continue;
    const answer = foreseen(step, known);
    if (answer.is !== "different" && answer.is !== "unmarked") continue;
    const todo = decide(node, step, answer, find(journal, stage, step));
    if (todo instanceof StepError) {
      await nodeRun.refuse(step, todo);
      return true;
    }
  }
  return false;
}
