/** What lies on the kernel's packet path between two places of a trace. Pure. */
import type { Cause } from "../../diagnosis/cause.ts";
import {
  flowsBetween,
  obstacleCause,
} from "../../diagnosis/kernel_path/obstacle_cause.ts";
import { findObstacles } from "../../diagnosis/kernel_path/obstacles.ts";
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
  const [found] = obstaclesAt(placesOf(stop), isBack, findings);
  if (found === undefined) return undefined;
  const cause = obstacleCause(found);
  if (stop.is !== "lost") return cause;
  const { from: { place }, to } = stop;
  const never = to === undefined
    ? "is not seen again"
    : `never came to ${placeName(to)}`;
  return {
    ...cause,
    what: `the packet left ${placeName(place)} and ${never}: ${cause.what}`,
  };
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

function obstaclesAt(
  places: readonly Place[],
  isBack: boolean,
  { cluster, from, to, facts }: TraceFindings,
) {
  const masked = cluster.nodes.find(({ name }) => name === from.machine);
  const sources = [
    from.address,
    ...(masked === undefined || from.pod === undefined ? [] : [masked.address]),
  ];
  const { there, back } = flowsBetween(sources, to.address);
  const surveys = [...facts.values()].flatMap(({ kernel }) => kernel);
  return findObstacles(surveys, cluster, isBack ? back : there)
    .filter(({ space }) =>
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
