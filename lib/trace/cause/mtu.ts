/** Small packets pass, and large ones do not. Pure. */
import { cmd, show } from "../../exec/command.ts";
import { evidence } from "../../diagnosis/evidence.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { newPods, onNode, type Remedy } from "../../diagnosis/remedy.ts";
import { placeName, remedyAt } from "../place_state.ts";
import { kernelRouteOf, routedPacket, routeKey } from "../kernel_routes.ts";
import { narrowWords } from "../../diagnosis/kernel_path/routes.ts";
import { dropObstacle, obstacleFault } from "./obstacle.ts";
import { narrowBetweenSegments } from "./segments.ts";
import { tunnelWidth } from "./routes.ts";
import { droppedBy } from "./rules.ts";
import type { End } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";
import type { SurveyedLink } from "../machine_survey.ts";
import { listed } from "../../node/batch.ts";

/** The cause of a packet of full length that got no answer. */
export function mtuFault(findings: TraceFindings): Cause {
  const other = narrowBetweenSegments(findings) ?? tunnelWidth(findings) ??
    lengthDrop(findings) ??
    routeMTU(findings);
  if (other !== undefined) return other;
  const { followed: { sending, said }, from, sizes } = findings;
  const size_bytes = sending.size_bytes ?? 0;
  const narrow = sizes?.narrow.toSorted((a, b) => a.mtu - b.mtu)[0];
  const where = from.pod === undefined
    ? from.machine ?? ""
    : `${from.pod.name} on ${from.machine}`;
  const sent = { where, command: show(sending.command), printed: said };
  const remembered = /local error: message too long, mtu=(\d+)/.exec(said)?.[1];
  if (narrow === undefined && remembered !== undefined) {
    return {
      kind: "mtu",
      on: from.machine ?? "",
      what:
        `${where} has been told that ${findings.to.address} takes packets of ` +
        `${remembered} bytes at most, and remembers it for ten minutes; no ` +
        "link on the way is that narrow now",
      evidence: [sent],
      remedies: [forget(from)],
    };
  }
  const most = sizes?.passes?.size_bytes;
  return {
    kind: "mtu",
    on: narrow?.machine ?? from.machine ?? "",
    what: `packets of ${size_bytes} bytes do not get from ${from.machine} to ` +
      `${
        findings.to.machine ?? findings.to.address
      } and back, and smaller ones do: ` +
      (narrow === undefined
        ? `something between carries ${
          most === undefined ? "fewer" : `about ${most} bytes`
        }`
        : `${narrow.link} of ${narrow.machine} carries ${narrow.mtu} bytes`) +
      ". TCP hides it until it sends much at once",
    evidence: [
      sent,
      ...(sizes?.passes === undefined ? [] : [{
        where,
        command: show(sizes.passes.asked.command),
        printed: "answered",
      }]),
      ...(narrow === undefined ? [] : [
        evidence(
          narrow.asked,
          listed<SurveyedLink>(narrow.asked)
            .filter(({ ifname }) => ifname === narrow.link)
            .map(({ ifname, mtu }) => ({ ifname, mtu }))[0],
        ),
      ]),
    ],
    remedies: narrow === undefined
      ? smaller(findings, most)
      : mendOf(narrow, findings),
  };
}

type Narrow = NonNullable<TraceFindings["sizes"]>["narrow"][number];

/**
 * A link is set to more only where it alone is too narrow: what leaves one of
 * several, or a tunnel, at full length is lost at the next, and nobody is told.
 */
function mendOf(narrow: Narrow, findings: TraceFindings): readonly Remedy[] {
  const { followed: { sending: { size_bytes = 0 }, said }, from } = findings;
  const { machine, link: name } = narrow;
  // A sender that was told of the narrow link remembers it (ip-route(8), cached exceptions).
  const forgotten = /mtu ?= ?\d/.test(said) ? [forget(from)] : [];
  if (name.startsWith("veth")) return [...newPods(machine), ...forgotten];
  const all = findings.sizes?.narrow ?? [];
  const alone = !all.some((one) =>
    one.machine !== machine && !one.link.startsWith("veth") &&
    one.link !== findings.cluster.bridge
  );
  const link = listed<SurveyedLink>(narrow.asked)
    .find(({ ifname }) => ifname === name);
  const isTunnel = link?.link_type !== undefined && link.link_type !== "ether";
  return alone && !isTunnel
    ? [
      onNode(machine, cmd`ip link set dev ${name} mtu ${size_bytes}`),
      ...forgotten,
    ]
    : [...smaller(findings, narrow.mtu, true), ...forgotten];
}

/**
 * What lies between cannot be mended from here: pods have to send less at a time.
 *
 * @param isSeen whether a link of the node's own takes no more
 */
function smaller(
  { cluster, from, to }: TraceFindings,
  most = 1280,
  isSeen = false,
): readonly Remedy[] {
  const ends = [from, to].filter(({ pod }) => pod !== undefined)
    .flatMap(({ machine }) => machine === undefined ? [] : [machine]);
  return [
    ...(isSeen && (cluster.mtu ?? 0) <= most
      ? [] // The plugin sees for itself what its links take.
      : [{ say: `write mtu: ${most} into ${cluster.file}` }]),
    { stage: "03-cni-config" },
    ...[...new Set(ends)].map((node): Remedy => (
      { stage: "09-verify", node, undo: true }
    )),
    ...(ends.length === 0 ? [] : [{ stage: "09-verify" } as const]),
  ];
}

function forget({ machine = "", pod }: End): Remedy {
  const place = pod === undefined ? { machine } : { machine, pod };
  return remedyAt(place, cmd`ip route flush cache`);
}

/** A rule may drop by a packet's length, which looks like a narrow link. */
function lengthDrop(findings: TraceFindings): Cause | undefined {
  const { there, back } = findings.followed;
  for (const [way, isBack] of [[there, false], [back, true]] as const) {
    if (way.stop?.is === "dropped") {
      return dropObstacle(way.stop, isBack, findings) ??
        droppedBy(way.stop, findings);
    }
    const found = way.stop && obstacleFault(way.stop, isBack, findings);
    const isByLength = found?.evidence.some(({ printed }) =>
      /\blength\b/.test(printed)
    );
    if (isByLength) return found;
  }
  return undefined;
}

/** A route may bear a smaller MTU than its link (ip-route(8)). */
function routeMTU(
  { followed: { there, back, sending, said }, from, answersOf }: TraceFindings,
): Cause | undefined {
  for (const passage of [...there.passages, ...back.passages]) {
    const packet = routedPacket(passage);
    const answers = answersOf(passage.place);
    const route = packet && kernelRouteOf(answers, packet);
    const asked = packet && answers.routes.get(routeKey(packet));
    const mtu = route?.metrics?.map(({ mtu }) => mtu).find((mtu) =>
      mtu !== undefined
    );
    if (
      !route || !asked || Number(mtu ?? Infinity) >= (sending.size_bytes ?? 0)
    ) {
      continue;
    }
    const { place } = passage;
    const { gateway, dev, table, protocol } = route;
    const named = (name: string, value?: string) =>
      value === undefined ? [] : [name, value];
    return {
      kind: "mtu",
      on: place.machine,
      what: narrowWords(placeName(place), route, Number(mtu)),
      evidence: [
        evidence(asked),
        { where: "the sender", command: show(sending.command), printed: said },
      ],
      remedies: [
        remedyAt(
          place,
          cmd`ip route replace ${route.dst} ${[
            ...[...named("via", gateway), ...named("dev", dev)],
            ...[...named("table", table), ...named("proto", protocol)],
          ]}`,
        ),
        // A sender that was told of it remembers it (ip-route(8), cached exceptions).
        ...(/mtu ?= ?\d/.test(said) ? [forget(from)] : []),
      ],
    };
  }
  return undefined;
}
