/**
 * The trace: sends real packets, has the kernel of every machine on their way
 * tell what it does with them, and puts together where they went.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { type Family, familyOf } from "../net/cidr.ts";
import type { Cause } from "../diagnosis/cause.ts";
import type { NodeFacts } from "../diagnosis/evidence.ts";
import type { TraceReport } from "./report.ts";
import { causeOf } from "./cause/cause.ts";
import { orFullTable } from "./cause/tables.ts";
import { askDropReasons } from "./drop_reasons.ts";
import { gather, inquire, trySizes } from "./follow_up.ts";
import { identify } from "./responders.ts";
import {
  type SecondLook,
  survey,
  type TraceContext,
  type TraceOrder,
} from "./context.ts";
import { askRouter } from "../diagnosis/segments/router_answer.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { EndError, familyFor } from "./endpoints.ts";
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
  /** What is wrong; nothing where nothing is. */
  readonly cause: Cause | undefined;
}

/**
 * Traces: in the family that was asked for or, where none was and no address
 * says it, in each of the cluster's, side by side.
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
  const { traced: [first, other], lacks } = await followPackets(
    whole,
    reach,
    order,
  );
  if (first === undefined) throw new TypeError("one family is always traced");
  const clusterName = whole.name;
  const report = traceReport({ ...first, clusterName });
  return {
    ...report,
    remarks: [...report.remarks, ...lacks],
    ...(other === undefined
      ? {}
      : { otherFamily: traceReport({ ...other, clusterName }) }),
  };
}

/**
 * The same, for what is wrong alone.
 *
 * @throws what trace() throws
 */
export async function traceCause(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder & { readonly family: Family },
): Promise<Cause | undefined> {
  const { traced: [only] } = await followPackets(whole, reach, order);
  return only?.cause;
}

async function followPackets(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
): Promise<{
  readonly traced: readonly Traced[];
  /** Why a family could not be tried, a sentence each. */
  readonly lacks: readonly string[];
}> {
  const { contexts, lacks } = await surveyAll(whole, reach, order);
  const looks = await listenWell(contexts);
  const again = looks.map(secondLookAt);
  const anew = await listenWell(
    await Promise.all(
      again.flatMap((second, at) => {
        const family = contexts[at]?.family;
        return second === undefined || family === undefined
          ? []
          : [survey(whole, reach, { ...order, family }, second)];
      }),
    ),
  );
  const best = looks.map((look) =>
    anew.find(({ context }) => context.family === look.context.family) ?? look
  );
  const traced = await Promise.all(best.map((look) => explain(look, order)));
  return { traced, lacks };
}

/** Looks at the surroundings, in each family that is to be tried. */
async function surveyAll(
  whole: Cluster,
  reach: Reach,
  order: TraceOrder,
): Promise<{
  readonly contexts: readonly TraceContext[];
  readonly lacks: readonly string[];
}> {
  const first = familyFor(order.to, order.family, whole);
  const isOpen = order.family === undefined && order.to.is !== "address";
  const others = isOpen
    ? familiesOf(whole).filter((family) => family !== first)
    : [];
  const lacks: string[] = [];
  const look = (family: Family) => survey(whole, reach, { ...order, family });
  const [one, ...more] = await Promise.all([
    look(first),
    ...others.map(async (family) => {
      try {
        return await look(family);
      } catch (error) {
        if (!(error instanceof EndError)) throw error;
        lacks.push(`IPv${family} could not be tried: ${error.message}`);
        return undefined;
      }
    }),
  ]);
  return { contexts: [one, ...more].filter((it) => it !== undefined), lacks };
}

/** What a second look has to take in, where one is needed. */
function secondLookAt(look: Look): SecondLook | undefined {
  const { told, context } = look;
  const renamed = renamedTo(look);
  const isLost = told.there.stop?.is === "lost" ||
    told.back.stop?.is === "lost";
  if (renamed !== undefined) return { everywhere: true, renamed };
  return isLost && !context.everywhere ? { everywhere: true } : undefined;
}

async function explain(
  { context, heard, claimed, sent, told: followed }: Look,
  { stages }: TraceOrder,
): Promise<Traced> {
  const doubtful = !followed.answered || followed.there.stop !== undefined ||
    followed.back.stop !== undefined || isRewritten(followed) ||
    strangePod([followed.there, followed.back], [context.from, context.to]) !==
      undefined;
  const { runnerOf, options } = context;
  const [answersOf, responders, sizes, facts, router] = await Promise.all([
    inquire(heard, sent, context),
    identify(claimed, context),
    trySizes(followed, context),
    doubtful ? gather(context, stages) : new Map<string, NodeFacts>(),
    doubtful ? askRouter(context.cluster, runnerOf, options) : undefined,
  ]);
  const { cluster, from, to, called, machines, deaf, family } = context;
  const findings: TraceFindings = {
    ...{ cluster, from, to, called, machines, deaf, answersOf, claimed },
    ...{ responders, facts, sent, followed },
    ...(sizes === undefined ? {} : { sizes }),
    ...(router === undefined ? {} : { router }),
  };
  const likely = orFullTable(causeOf(findings), findings);
  const cause = likely?.kind === "unknown"
    ? await withReasons(likely, context)
    : likely;
  return { findings, family, cause };
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

/** Under which name a packet goes on, where a machine gave it another than the sender did. */
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
async function listenWell(
  contexts: readonly TraceContext[],
): Promise<readonly Look[]> {
  if (contexts.length === 0) return [];
  let { listened, incomplete } = await listenAndSend(contexts);
  if (incomplete.size > 0) {
    ({ listened, incomplete } = await listenAndSend(contexts));
  }
  if (incomplete.size > 0) {
    const names = [...incomplete].join(", ");
    throw new StepError(
      `the kernel did not tell of all that it saw, on ${names}\n` +
        "what to do: trace again when less is going on there",
    );
  }
  return contexts.flatMap((context, at) => {
    const own = listened[at];
    return own === undefined ? [] : [lookOf(context, own)];
  });
}

function lookOf(
  context: TraceContext,
  { answers, heard, claimed }: Listened,
): Look {
  const sent = answers.map((answer): FollowedPacket =>
    follow(answer, heard, context)
  );
  return { context, heard, claimed, sent, told: toldOf(sent, context) };
}
