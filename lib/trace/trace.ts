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
import { askDropReasons } from "./drop_reasons.ts";
import { gather, identify, inquire, trySizes } from "./follow_up.ts";
import {
  type SecondLook,
  survey,
  type TraceContext,
  type TraceOrder,
} from "./context.ts";
import { familyOf } from "../net/cidr.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { lastSeen, strangePod } from "./passages.ts";
import { follow, listenAndSend, type Listened } from "./capture.ts";
import { traceReport } from "./build_report.ts";
import type { FollowedPacket, TraceFindings } from "./findings.ts";
import type { Reach } from "../node/node.ts";
import { StepError } from "../stage/errors.ts";

/** What a trace came to. */
interface Traced {
  readonly findings: TraceFindings;
  readonly family: Family;
  /** The cluster's other one, which was not tried. */
  readonly otherFamily?: Family;
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
  const look = async (second?: SecondLook): Promise<Look> => {
    const context = await survey(whole, reach, order, second);
    const { answers, heard, claimed } = await listenWell(context);
    const sent = answers.map((answer): FollowedPacket =>
      follow(answer, heard, context)
    );
    return { context, heard, claimed, sent, told: toldOf(sent, context) };
  };
  let found = await look();
  const renamed = renamedTo(found);
  const isLost = found.told.there.stop?.is === "lost" ||
    found.told.back.stop?.is === "lost";
  if (renamed !== undefined || (isLost && !found.context.everywhere)) {
    found = await look({
      everywhere: true,
      ...(renamed === undefined ? {} : { renamed }),
    });
  }
  const { context, heard, claimed, sent, told: followed } = found;
  const doubtful = !followed.answered || followed.there.stop !== undefined ||
    followed.back.stop !== undefined || isRewritten(followed) ||
    strangePod([followed.there, followed.back], [context.from, context.to]) !==
      undefined;
  const [answersOf, responders, sizes, facts] = await Promise.all([
    inquire(heard, sent, context),
    identify(claimed, context),
    trySizes(followed, context),
    doubtful ? gather(context, order.stages) : new Map<string, NodeFacts>(),
  ]);
  const { cluster, from, to, called, machines, deaf, family } = context;
  const findings: TraceFindings = {
    ...{ cluster, from, to, called, machines, deaf, answersOf, claimed },
    ...{ responders, facts, sent, followed },
    ...(sizes === undefined ? {} : { sizes }),
  };
  const otherFamily = familiesOf(whole).find((one) => one !== family);
  const likely = causeOf(findings);
  const cause = likely?.kind === "unknown"
    ? await withReasons(likely, context)
    : likely;
  return {
    ...{ findings, family, cause },
    ...(otherFamily === undefined ? {} : { otherFamily }),
  };
}

/** What nothing explains, with the kernel's own reasons for what it drops, where it has those. */
async function withReasons(
  cause: Cause,
  { from, called, cluster, family, places, runnerOf, options }: TraceContext,
): Promise<Cause> {
  const [sender] = places;
  if (sender === undefined || from.machine === undefined) return cause;
  // The machines of a lab have one kernel.
  const machines = cluster.provider === "lab"
    ? [cause.on]
    : [...new Set([cause.on, called.machine ?? cause.on])];
  const order = { sender, address: called.address, family };
  const reasons = await Promise.all(
    machines.map((machine) =>
      askDropReasons(order, machine, runnerOf, options)
    ),
  );
  return { ...cause, evidence: [...cause.evidence, ...reasons.flat()] };
}

/** What came of sending the packets once. */
interface Look extends Pick<Listened, "heard" | "claimed"> {
  readonly context: TraceContext;
  readonly sent: readonly FollowedPacket[];
  /** The one of them that is told of. */
  readonly told: FollowedPacket;
}

/** The first that got no answer, or else that went astray. */
function toldOf(
  all: readonly FollowedPacket[],
  { call, called, to }: TraceContext,
): FollowedPacket {
  // Who rewrites what goes to a port leaves pings alone.
  const isOne = call !== undefined && called.address !== to.address;
  const sent = isOne ? all.slice(0, 1) : all;
  const told = sent.find(({ answered }) => !answered) ??
    sent.find(({ there }) => there.stop !== undefined) ?? sent[0];
  if (told === undefined) throw new TypeError("a ping is always sent");
  return told;
}

/** Under which name a packet goes on, where somebody gave it another than the sender did. */
function renamedTo(
  { told, sent, context: { called, family } }: Look,
): SecondLook["renamed"] {
  for (const { there } of [told, ...sent]) {
    const last = there.passages.at(-1);
    const seen = last && lastSeen(last);
    if (seen === undefined || seen.destination === called.address) continue;
    if (familyOf(seen.destination) !== family) continue;
    const { destination: address, what } = seen;
    return { address, ...("dport" in what ? { port: what.dport } : {}) };
  }
  return undefined;
}

/** A rule of nat may have had a say. */
function isRewritten({ there }: FollowedPacket): boolean {
  return there.passages.some(({ met }) =>
    met.some(({ hook }) => hook === "postrouting" || hook === "prerouting")
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
