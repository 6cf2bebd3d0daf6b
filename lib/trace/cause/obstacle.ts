/** What lies on the kernel's packet path between two places of a trace. Pure. */
import type { Cause } from "../../diagnosis/cause.ts";
import {
  flowsBetween,
  obstacleCause,
} from "../../diagnosis/kernel_path/obstacle_cause.ts";
import { findObstacles } from "../../diagnosis/kernel_path/obstacles.ts";
import type {
  Flow,
  Obstacle,
  ObstacleKind,
} from "../../diagnosis/kernel_path/obstacle.ts";
import { placeName } from "../place_state.ts";
import type { Place } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { Stop } from "../packet_path.ts";

/** Does something beside rules and routes of the stages end the packet here? */
export function obstacleFault(
  stop: Stop,
  isBack: boolean,
  findings: TraceFindings,
): Cause | undefined {
  const here = obstaclesAt(placesOf(stop), isBack, findings);
  const [found = here[0]] = [
    ...here.filter(({ is }) => is === "loses"),
    ...passedObstacles(isBack, findings),
  ];
  if (found === undefined) return undefined;
  const cause = obstacleCause(found);
  if (stop.is !== "lost" || !here.includes(found)) return cause;
  const { from: { place }, to } = stop;
  const never = to === undefined
    ? "is not seen again"
    : `never came to ${placeName(to)}`;
  return {
    ...cause,
    what: `the packet left ${placeName(place)} and ${never}: ${cause.what}`,
  };
}

/** What a packet meets at one place, and loses it at a later one. */
function passedObstacles(
  isBack: boolean,
  findings: TraceFindings,
): readonly Obstacle[] {
  const { there, back } = findings.followed;
  const places = [...there.passages, ...(isBack ? back.passages : [])]
    .map(({ place }) => place);
  return obstaclesAt(places, isBack, findings).filter(({ is, kind }) =>
    // A rule that the packet passed did not drop it.
    is === "loses" && !["iptables", "nft", "nft-forward"].includes(kind)
  );
}

/**
 * What is sure to keep an answer from coming, wherever the packet ends by it:
 * a source that is nowhere, a connection that is not remembered, a TTL too small.
 */
export function farObstacle(findings: TraceFindings): Cause | undefined {
  const [found] = [false, true].flatMap((isBack) =>
    obstaclesAt(undefined, isBack, findings)
  ).filter(({ is, kind }) =>
    is === "loses" && (kind === "nat" || kind === "ttl" || kind === "source")
  );
  return found && obstacleCause(found);
}

/** What loses some packets and lets others pass, where the packets of one kind came through. */
export function lossyObstacle(findings: TraceFindings): Cause | undefined {
  const found = [false, true].flatMap((isBack) =>
    obstaclesAt(undefined, isBack, findings)
  );
  const [one] = [
    ...found.filter(({ kind }) => kind === "qdisc"),
    ...found.filter(({ kind }) => ["tc", "xdp", "iptables"].includes(kind)),
  ];
  return one && obstacleCause(one);
}

/** A rule of nat that gives what is for one of ours to another. */
export function redirectObstacle(
  place: Place,
  findings: TraceFindings,
): Cause | undefined {
  const found = obstaclesAt([place], false, {
    ...findings,
    to: findings.called,
  })
    .find(({ kind, what }) =>
      kind === "iptables" && / gives what is for /.test(what)
    );
  return found && obstacleCause(found);
}

/** Of these kinds, what a place has that loses the packet, in the words of doctor and 09. */
export function obstacleOf(
  kinds: readonly ObstacleKind[],
  place: Place,
  findings: TraceFindings,
): Cause | undefined {
  const found = [false, true].flatMap((isBack) =>
    obstaclesAt([place], isBack, findings)
  ).find(({ kind, is }) => kinds.includes(kind) && is === "loses");
  return found && obstacleCause(found);
}

/** A rule that drops packets of the full length, and lets others pass. */
export function lengthObstacle(findings: TraceFindings): Cause | undefined {
  const [found] = [false, true].flatMap((isBack) =>
    obstaclesAt(undefined, isBack, findings)
  ).filter(({ kind, what }) =>
    kind === "iptables" && what.includes(" to packets of 1500 bytes")
  );
  return found && obstacleCause(found);
}

/** A route of a machine that takes the packet elsewhere, or nowhere. */
export function routeObstacle(
  { machine }: Pick<Place, "machine">,
  isBack: boolean,
  findings: TraceFindings,
): Cause | undefined {
  const found = obstaclesAt([{ machine }], isBack, findings)
    .find(({ kind }) => kind === "route");
  return found && obstacleCause(found);
}

/** The rule or policy that dropped a packet, in the words that doctor and 09 have for it. */
export function dropObstacle(
  { at: { place }, by: { event: { table, chain } } }: Stop & {
    readonly is: "dropped";
  },
  isBack: boolean,
  findings: TraceFindings,
): Cause | undefined {
  const [, name = ""] = table.split(" ");
  const found = obstaclesAt([place], isBack, findings).find(({ what }) =>
    what.includes(`chain ${table} ${chain} of`) ||
    what.includes(`of ${chain} in the table ${name} of`)
  );
  return found && obstacleCause(found);
}

/** Does something keep a place from answering? */
export function answerObstacle(
  place: Place,
  findings: TraceFindings,
): Cause | undefined {
  const found = obstaclesAt([place], true, findings)[0] ??
    obstaclesAt([place], false, findings)[0];
  return found && obstacleCause(found);
}

/** @param places none for all that were asked */
function obstaclesAt(
  places: readonly Place[] | undefined,
  isBack: boolean,
  { cluster, from, to, facts, followed: { sending } }: TraceFindings,
): readonly Obstacle[] {
  const masked = cluster.nodes.find(({ name }) => name === from.machine);
  const sources = [
    from.address,
    ...(masked === undefined || from.pod === undefined ? [] : [masked.address]),
  ];
  const { there, back } = flowsBetween(sources, to.address);
  const flows = (isBack ? back : there).map((flow): Flow => ({
    ...flow,
    protocol: sending.kind === "request" ? "tcp" : "icmp",
    length_bytes: sending.kind === "full-mtu" ? 1500 : 84,
  }));
  const surveys = [...facts.values()].flatMap(({ kernel }) => kernel);
  return findObstacles(surveys, cluster, flows).filter(({ space }) =>
    places === undefined ||
    places.some(({ machine, pod }) =>
      machine === space.node && pod?.name === space.pod?.name
    )
  );
}

/** Where a packet may have ended: its last place and the next one. */
function placesOf(stop: Stop): readonly Place[] {
  switch (stop.is) {
    case "unsent":
      return [stop.at];
    case "lost": {
      const ends = [
        stop.from.place,
        ...(stop.to === undefined ? [] : [stop.to]),
      ];
      return [...ends, ...ends.map(({ machine }) => ({ machine }))];
    }
    default:
      return [stop.at.place];
  }
}
