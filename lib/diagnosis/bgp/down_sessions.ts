/** Sessions that are down, those of one cause together. Pure. */
import type { SeenSession } from "../../bgp/seen_sessions.ts";
import type { BgpSession } from "../../cluster/bgp_sessions.ts";
import { cmd } from "../../exec/command.ts";
import { someNames } from "../../text/some_names.ts";
import type { Cause } from "../cause.ts";
import type { Remedy } from "../remedy.ts";
import { type BgpAnswer, firstLines, printedOn } from "./answer.ts";
import {
  type DownReason,
  type KnownBy,
  whom,
  whyDown,
} from "./session_fault.ts";

/** What keeps sessions down. */
interface DownSessions {
  readonly sessions: readonly BgpSession[];
  readonly by: KnownBy;
  readonly cause: Cause;
}

/** A session that is down. */
interface Down {
  readonly session: BgpSession;
  readonly found: SeenSession | undefined;
  readonly reason: DownReason;
}

/** As many nodes are mended one by one. */
const most = 4;

/**
 * What keeps a node's sessions down; none where all are up.
 *
 * @param seen what bird says of them
 * @param drift how the node itself is not as stage 08 left it
 */
export function downSessions(
  answer: BgpAnswer,
  sessions: readonly BgpSession[],
  seen: readonly SeenSession[],
  drift: Cause | undefined,
): readonly DownSessions[] {
  const down = sessions.flatMap((session): readonly Down[] => {
    const found = seen.find(({ name }) => name === session.name);
    if (found?.state === "Established") return [];
    return [{
      session,
      found,
      reason: whyDown(answer, session, found, drift),
    }];
  });
  // What is not known of any far end may well be one cause for all of them.
  const causes = Map.groupBy(
    down,
    ({ reason: { why, by, remedies } }) =>
      by === "guess" ? why : JSON.stringify([why, remedies]),
  );
  return [...causes.values()].map((alike) => together(answer, alike, drift));
}

function together(
  answer: BgpAnswer,
  alike: readonly Down[],
  drift: Cause | undefined,
): DownSessions {
  const { node } = answer;
  const sessions = alike.map(({ session }) => session);
  const names = someNames(sessions.map(whom));
  const [are, s] = sessions.length === 1 ? ["is", ""] : ["are", "s"];
  const states = new Set(
    alike.map(({ found }) =>
      found === undefined
        ? "bird has no such session"
        : `bird says ${found.error ?? found.state}`
    ),
  );
  const [reason] = alike.map(({ reason }) => reason);
  return {
    sessions,
    by: reason?.by ?? "guess",
    cause: {
      kind: "bgp",
      on: node.name,
      what: `the BGP session${s} of ${node.name} with ${names} ${are} down (` +
        `${someNames([...states])}): ${reason?.why}`,
      evidence: [
        printedOn(answer, cmd`birdc -r show protocols`, shown(alike)),
        ...(drift?.evidence ?? []),
      ],
      remedies: [...remediesOf(alike), ...passing(alike)],
    },
  };
}

function shown(alike: readonly Down[]): string {
  const lines = alike.flatMap(({ found }) =>
    found === undefined
      ? []
      : [`${found.name} ${found.state} ${found.error ?? ""}`.trim()]
  );
  return firstLines(lines) || "nothing";
}

function remediesOf(alike: readonly Down[]): readonly Remedy[] {
  const all = new Map(
    alike.flatMap(({ reason }) => reason.remedies)
      .map((remedy) => [JSON.stringify(remedy), remedy]),
  );
  const remedies = [...all.values()];
  const stages = remedies.filter((one) => "stage" in one);
  return stages.length <= most
    ? remedies
    : [{ stage: "08-routes" }, ...remedies.filter((one) => !("stage" in one))];
}

/** Where nothing comes by any of the two ends' doing. */
function passing(alike: readonly Down[]): readonly Remedy[] {
  const dropped = alike.filter(({ reason }) => reason.dropped);
  const [first] = dropped;
  if (first === undefined) return [];
  const addresses = dropped.map(({ session }) => session.address);
  return [
    {
      say: `let TCP port 179 pass between ${first.session.local} and ` +
        `${someNames(addresses)}, both ways`,
    },
    // It names the rules of either node.
    { make: "doctor", shows: true },
  ];
}
