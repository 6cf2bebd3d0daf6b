/**
 * The trace: sends real packets, has the kernel of every machine on their way
 * tell what it does with them, and puts together where they went.
 */
import type { Cluster } from "../cluster/cluster.ts";
import type { Family } from "../net/cidr.ts";
import type { Cause } from "../diagnosis/cause.ts";
import type { NodeFacts } from "../diagnosis/evidence.ts";
import type { TraceReport } from "./report.ts";
import { causeOf } from "./cause/cause.ts";
import { gather, identify, inquire, trySizes } from "./follow_up.ts";
import { survey, type TraceContext, type TraceOrder } from "./context.ts";
import { follow, listenAndSend, type Listened } from "./capture.ts";
import { traceReport } from "./build_report.ts";
import type { FollowedPacket, TraceFindings } from "./findings.ts";
import type { Reach } from "../node/node.ts";
import { StepError } from "../stage/errors.ts";

/** What a trace came to. */
interface Traced {
  readonly findings: TraceFindings;
  readonly sent: readonly FollowedPacket[];
  readonly family: Family;
  /** What is wrong; nothing where nothing is. */
  readonly cause: Cause | undefined;
}

/**
 * Traces.
 *
 * @throws {EndError} when there is no such end
 * @throws {UnreachableError} when a machine on the way cannot be reached
 * @throws {StepError} when a machine lacks a program that tracing takes
 * @throws {CommandError} when the kernel does not let us listen
 */
export async function trace(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
): Promise<TraceReport> {
  const traced = await followPackets(whole, reach, order);
  return traceReport({ ...traced, clusterName: whole.name });
}

/**
 * The same, for what is wrong alone.
 *
 * @throws what trace() throws
 */
export async function traceCause(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
): Promise<Cause | undefined> {
  return (await followPackets(whole, reach, order)).cause;
}

async function followPackets(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
): Promise<Traced> {
  const context = await survey(whole, reach, order);
  const { answers, heard, claimed } = await listenWell(context);
  const sent = answers.map((answer): FollowedPacket =>
    follow(answer, heard, context)
  );
  const followed = sent.find(({ answered }) => !answered) ??
    sent.find(({ there }) => there.stop !== undefined) ?? sent[0];
  if (followed === undefined) throw new TypeError("a ping is always sent");
  const doubtful = !followed.answered || followed.there.stop !== undefined ||
    followed.back.stop !== undefined || isRewritten(followed);
  const [answersOf, responders, sizes, facts] = await Promise.all([
    inquire(heard, context),
    identify(claimed, context),
    trySizes(followed, context),
    doubtful ? gather(context, order.stages) : new Map<string, NodeFacts>(),
  ]);
  const { cluster, from, to, machines, family } = context;
  const findings: TraceFindings = {
    ...{ cluster, from, to, machines, answersOf, claimed, responders, facts },
    followed,
    ...(sizes === undefined ? {} : { sizes }),
  };
  return { findings, sent, family, cause: causeOf(findings) };
}

/** A rule of nat may have had a say. */
function isRewritten({ there }: FollowedPacket): boolean {
  return there.passages.some(({ met }) =>
    met.some(({ hook }) => hook === "postrouting")
  );
}

/** What was not heard must not look like a packet that was not there. */
async function listenWell(context: TraceContext): Promise<Listened> {
  const first = await listenAndSend(context);
  if (first.incomplete.size === 0) return first;
  const second = await listenAndSend(context);
  if (second.incomplete.size === 0) return second;
  const names = [...second.incomplete].join(", ");
  throw new StepError(
    `the kernel did not tell of all that it saw, on ${names}\n` +
      "what to do: trace again when less is going on there",
  );
}
