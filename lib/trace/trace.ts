/**
 * The trace: sends real packets, has the kernel of every machine on their way
 * tell what it does with them, and puts together where they went.
 */
import type { Cluster } from "../cluster/cluster.ts";
import type { NodeFacts } from "../diagnosis/evidence.ts";
import type { Reach } from "../verify/situation.ts";
import type { TraceReport } from "./report.ts";
import { causeOf } from "./cause/cause.ts";
import { gather, identify, inquire, trySizes } from "./follow_up.ts";
import { StepError } from "../stage/decide.ts";
import { type Ground, survey, type TraceOrder } from "./context.ts";
import { follow, listenAndSend, type Listened } from "./capture.ts";
import { reportOf } from "./build_report.ts";
import type { Scene, Sent } from "./findings.ts";

/**
 * Traces.
 *
 * @throws {UsageError} when there is no such end
 * @throws {UnreachableError} when a machine on the way cannot be reached
 * @throws {StepError} when a machine lacks a program that tracing takes
 * @throws {CommandError} when the kernel does not let us listen
 */
export async function trace(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
): Promise<TraceReport> {
  const ground = await survey(whole, reach, order);
  const { answers, heard, claimed } = await listenWell(ground);
  const sent = answers.map((answer): Sent => follow(answer, heard, ground));
  const followed = sent.find(({ answered }) => !answered) ??
    sent.find(({ there }) => there.stop !== undefined) ?? sent[0];
  if (followed === undefined) throw new TypeError("a ping is always sent");
  const doubtful = !followed.answered || followed.there.stop !== undefined ||
    followed.back.stop !== undefined || isRewritten(followed);
  const [answersOf, strangers, sizes, facts] = await Promise.all([
    inquire(heard, ground),
    identify(claimed, ground),
    trySizes(followed, ground),
    doubtful ? gather(ground, order.stages) : new Map<string, NodeFacts>(),
  ]);
  const { cluster, from, to, machines, family } = ground;
  const scene: Scene = {
    ...{ cluster, from, to, machines, answersOf, claimed, strangers, followed },
    facts,
    ...(sizes === undefined ? {} : { sizes }),
  };
  const cause = causeOf(scene);
  return reportOf({
    scene,
    sent,
    cause,
    family,
    clusterName: whole.name,
  });
}

/** A rule of nat may have had a say. */
function isRewritten({ there }: Sent): boolean {
  return there.passages.some(({ met }) =>
    met.some(({ hook }) => hook === "postrouting")
  );
}

/** What was not heard must not look like a packet that was not there. */
async function listenWell(ground: Ground): Promise<Listened> {
  const first = await listenAndSend(ground);
  if (first.deaf.size === 0) return first;
  const second = await listenAndSend(ground);
  if (second.deaf.size === 0) return second;
  const names = [...second.deaf].join(", ");
  throw new StepError(
    `the kernel did not tell of all that it saw, on ${names}\n` +
      "what to do: trace again when less is going on there",
  );
}
