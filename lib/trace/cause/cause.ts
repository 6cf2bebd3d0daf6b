/** Why a packet ends where it ends, and what mends it. Pure. */
import type { NodeFacts } from "../../diagnosis/evidence.ts";
import { outsideName } from "../../lab/lab.ts";
import {
  bridgeAddressFault,
  bridgeFault,
  type Cause,
  forwardingFault,
  masqueradeFault,
  podFault,
  segmentFault,
} from "../../diagnosis/faults.ts";
import {
  duplicateFault,
  gatewayFault,
  rememberedFault,
  takenFault,
} from "./links.ts";
import { beyond, reversePathFault, strayed, wayMissing } from "./routes.ts";
import { droppedBy, rewrittenFault, unseenDrop } from "./rules.ts";
import { mtuFault } from "./mtu.ts";
import { nobody, silent, unanswered, unexplained } from "./receiver.ts";
import { routeOf } from "../place_state.ts";
import type { End, Place } from "../endpoints.ts";
import type { Scene } from "../findings.ts";
import type { Stop } from "../packet_path.ts";

/** One direction: who sends, who receives. */
interface Direction {
  readonly is: "there" | "back";
  readonly sender: End;
  readonly receiver: End;
}

/** The likeliest cause of what is wrong; undefined when nothing is. */
export function causeOf(scene: Scene): Cause | undefined {
  const { followed: { there, back, sending, answered }, from, to } = scene;
  if (!answered && sending.kind === "full-mtu") return mtuFault(scene);
  const ways = [
    [there, { is: "there", sender: from, receiver: to }],
    [back, { is: "back", sender: to, receiver: from }],
  ] as const;
  for (const [way, direction] of ways) {
    if (way.stop === undefined) continue;
    // Somebody else may have answered in the receiver's place.
    for (const suspect of suspects(way.stop, direction, scene)) {
      if (suspect !== undefined) return suspect;
    }
    return unexplained(way.stop, direction.receiver, scene);
  }
  return rewrittenFault(scene) ?? duplicateFault(scene) ??
    (answered ? undefined : unanswered(scene));
}

function* suspects(
  stop: Stop,
  direction: Direction,
  scene: Scene,
): Generator<Cause | undefined> {
  switch (stop.is) {
    case "dropped":
      yield droppedBy(stop, scene);
      return;
    case "unsent":
      yield* unsent(stop.at, direction, scene);
      return;
    case "taken":
      yield takenFault(stop.at, direction.receiver, scene);
      return;
    case "unrouted":
      yield* unrouted(stop, direction, scene);
      return;
    case "lost":
      yield* lost(stop, direction, scene);
  }
}

const factsAt = (scene: Scene, { machine }: Place) => scene.facts.get(machine);

/** Is the pod of a place plugged in? */
function plugged(
  place: Place | undefined,
  scene: Scene,
  needsRoute: boolean,
): Cause | undefined {
  if (place?.pod === undefined) return undefined;
  const facts = factsAt(scene, place);
  return facts === undefined
    ? undefined
    : podFault(facts, place.pod.name, scene.cluster, needsRoute);
}

/** A program's packet did not leave its own machine or pod, or there was none. */
function* unsent(
  place: Place,
  { is, receiver }: Direction,
  scene: Scene,
): Generator<Cause | undefined> {
  const facts = factsAt(scene, place);
  if (facts !== undefined) {
    yield bridgeFault(facts, scene.cluster);
    yield plugged(place, scene, true);
    if (place.pod === undefined) {
      yield segmentFault(facts, scene.cluster);
    }
  }
  if (is === "there") {
    yield* wayMissing(place, receiver, scene);
    return;
  }
  yield* answerless(place, receiver, scene);
}

/** The receiver took the packet and did not send an answer. */
function* answerless(
  place: Place,
  asker: End,
  scene: Scene,
): Generator<Cause | undefined> {
  const { there } = scene.followed;
  const seen = there.passages.at(-1)?.taken?.source;
  const answers = scene.answersOf(place);
  if (seen !== undefined && routeOf(answers, seen) === undefined) {
    const asking = asker.machine && scene.facts.get(asker.machine);
    if (seen === asker.address && asker.pod !== undefined && asking) {
      yield masqueradeFault(asking);
    }
    yield* wayMissing(place, asker, scene);
  }
  yield silent(place, scene);
}

/** It came to a machine, which did not send it on. */
function* unrouted(
  { at }: Stop & { readonly is: "unrouted" },
  direction: Direction,
  scene: Scene,
): Generator<Cause | undefined> {
  const { place, came } = at;
  const facts = factsAt(scene, place);
  const { sender, receiver, is } = direction;
  yield plugged(place, scene, true);
  const isEnd = place.machine === sender.machine ||
    place.machine === receiver.machine;
  if (!isEnd || facts === undefined) {
    // A machine that is not on the way: who sent it here?
    const destination = came?.destination ?? receiver.address;
    yield* strayed(sender, receiver, is === "back", destination, scene);
    if (place.machine === outsideName) yield beyond(place, receiver, scene);
    return;
  }
  yield forwardingFault(facts);
  yield segmentFault(facts, scene.cluster);
  const hasPod = [sender, receiver].some(({ machine, pod }) =>
    machine === place.machine && pod !== undefined
  );
  if (hasPod) {
    yield bridgeFault(facts, scene.cluster);
    yield bridgeAddressFault(facts, scene.cluster);
  }
  yield* wayMissing(place, receiver, scene);
  const refused = reversePathFault(at, scene);
  if (refused !== undefined) {
    yield* wayMissing(place, sender, scene);
    yield refused;
  }
  yield unseenDrop(at, is === "back", scene);
}

/** It left one place and never came to the next. */
function* lost(
  { from, to }: Stop & { readonly is: "lost" },
  direction: Direction,
  scene: Scene,
): Generator<Cause | undefined> {
  const { place, left } = from;
  const { cluster } = scene;
  const facts = factsAt(scene, place);
  if (place.pod !== undefined) {
    yield* offTheSegment(place, to, facts, scene);
    yield duplicateFault(scene) ?? rememberedFault(scene);
    return;
  }
  const { sender, receiver, is } = direction;
  const onBridge = left?.out === cluster.bridge;
  const isHome = place.machine === receiver.machine &&
    receiver.pod !== undefined;
  if (to?.pod !== undefined || (onBridge && isHome)) {
    if (facts !== undefined) {
      yield bridgeFault(facts, cluster);
      if (!onBridge) yield bridgeAddressFault(facts, cluster);
    }
    yield plugged(to ?? placeOf(receiver), scene, false);
    yield duplicateFault(scene) ?? rememberedFault(scene);
    return;
  }
  const far = to && factsAt(scene, to);
  if (facts !== undefined) yield segmentFault(facts, cluster);
  if (far) yield segmentFault(far, cluster);
  // Another pod's address as the gateway: the node only passes the frame on.
  if (onBridge) yield gatewayFault(placeOf(sender), scene);
  const destination = left?.destination ?? receiver.address;
  yield* strayed(sender, receiver, is === "back", destination, scene);
  yield duplicateFault(scene) ?? rememberedFault(scene);
  if (to === undefined && onBridge) yield nobody(place, receiver, scene);
}

function placeOf({ machine = "", pod }: End): Place {
  return { machine, ...(pod === undefined ? {} : { pod }) };
}

/** A pod's frame did not come through its veth and the bridge. */
function* offTheSegment(
  place: Place,
  to: Place | undefined,
  facts: NodeFacts | undefined,
  scene: Scene,
): Generator<Cause | undefined> {
  if (facts === undefined) return;
  yield bridgeFault(facts, scene.cluster);
  yield plugged(place, scene, true);
  const { from, to: end } = scene;
  // Pods of one node find each other without the gateway.
  if (from.machine === end.machine && from.pod && end.pod) {
    yield plugged({ machine: place.machine, pod: end.pod }, scene, true);
    yield plugged({ machine: place.machine, pod: from.pod }, scene, true);
    return;
  }
  yield bridgeAddressFault(facts, scene.cluster);
  yield gatewayFault(place, scene);
  if (to !== undefined) yield plugged(to, scene, false);
}
