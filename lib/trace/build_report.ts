/** A trace as it is reported. Pure. */
import type { Family } from "../net/cidr.ts";
import { show } from "../exec/command.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { type Cause, reported } from "../diagnosis/cause.ts";
import type {
  Decision,
  TraceEnd,
  TraceHop,
  TracePacket,
  TraceReport,
} from "./report.ts";
import { rewrites } from "./cause/rules.ts";
import { type Told, traceHops } from "./hops.ts";
import { placeOf } from "./cause/links.ts";
import { type End, isSamePlace } from "./endpoints.ts";
import type { FollowedPacket, TraceFindings } from "./findings.ts";
import type { Passage } from "./passages.ts";
import { routedPacket, ruleOf } from "./kernel_routes.ts";
import { ruleText } from "../diagnosis/routing_policy.ts";
import { grownAt, placeName } from "./place_state.ts";

/** What a report is made of. */
interface Findings {
  readonly findings: TraceFindings;
  readonly cause: Cause | undefined;
  readonly family: Family;
  readonly clusterName: string;
}

/** Puts a report together. */
export function traceReport(
  { findings, cause, family, clusterName }: Findings,
): TraceReport {
  const { from, to, called, followed, sent, cluster, answersOf } = findings;
  const told: Told = {
    bridge: cluster.bridge,
    answersOf,
    refusalOf: (passage) => refusalOf(passage, findings, cause),
    source: from.address,
    destination: to.address,
  };
  const there = traceHops(followed.there, "there", told);
  const back = traceHops(followed.back, "back", {
    ...told,
    source: to.address,
    destination: from.address,
  });
  const hops = [...there, ...back];
  return {
    version: 1,
    cluster: clusterName,
    family,
    from: endOf(from, findings),
    to: endOf(called, findings),
    packets: sent.map(packetOf),
    followed: followed.sending.kind,
    delivered: followed.answered && followed.there.stop === undefined,
    hops,
    lastGood: lastGoodOf(hops, cause),
    ...(cause === undefined ? {} : { cause: reported(cause, cluster) }),
    remarks: remarksOf(followed, cause, findings),
  };
}

/** Of what a machine neither sent on nor took: the setting that explains it. */
function refusalOf(
  { place, came }: Passage,
  findings: TraceFindings,
  cause: Cause | undefined,
): Decision | undefined {
  const { cluster } = findings;
  if (cause?.kind === "forwarding" && cause.on === place.machine) {
    const [family] = familiesOf(cluster);
    // The last line is the interface's own, where that is what is off.
    const own = cause.evidence.flatMap(({ printed }) => printed.split("\n"))
      .findLast((line) => /\.conf\..* = 0$/.test(line));
    return {
      kind: "sysctl",
      text: own ??
        (family === 4
          ? "net.ipv4.ip_forward = 0"
          : "net.ipv6.conf.all.forwarding = 0"),
      stage: "06-forwarding",
    };
  }
  const more = grownAt(place, findings);
  if (!more.has("TcpExt.IPReversePathFilter")) return undefined;
  return {
    kind: "sysctl",
    text: `rp_filter: an answer to ${came?.source} would not go by ${came?.in}`,
  };
}

function endOf(
  { machine, pod, address }: End,
  { machines }: TraceFindings,
): TraceEnd {
  const own = machine === undefined ? undefined : machines.get(machine);
  // A podCIDR's address that no pod has belongs to no end.
  const isKnown = pod !== undefined ||
    own?.links.some(({ addr_info }) =>
      addr_info.some(({ local }) => local === address)
    );
  return {
    ...(machine === undefined || !isKnown ? {} : { node: machine }),
    ...(pod === undefined ? {} : { pod: pod.name }),
    address,
  };
}

function packetOf({ sending, answered, said }: FollowedPacket): TracePacket {
  const { kind, command, size_bytes, servers } = sending;
  const port = kind === "request" ? undefined : servers?.[0]?.port;
  return {
    kind,
    command: show(command),
    ...(port === undefined ? {} : { port }),
    ...(size_bytes === undefined ? {} : { size_bytes }),
    answered,
    said,
  };
}

function lastGoodOf(
  hops: readonly TraceHop[],
  cause: Cause | undefined,
): number {
  const ended = hops.findIndex(({ outcome }) => outcome === "DROPPED");
  if (ended >= 0) return ended - 1;
  if (cause?.kind === "masquerade") {
    const wrong = hops.findIndex(({ outcome }) => outcome === "REWRITTEN");
    if (wrong >= 0) return wrong - 1;
  }
  return hops.length - 1;
}

function remarksOf(
  followed: FollowedPacket,
  cause: Cause | undefined,
  findings: TraceFindings,
): readonly string[] {
  const { there, back, answered } = followed;
  const { from, to, called, deaf } = findings;
  const [out, home] = [there, back].map((way) => detourOf(way, findings));
  const masked = there.passages.find(rewrites);
  const isLost = there.stop?.is === "lost" || back.stop?.is === "lost";
  const isOne = from.machine !== undefined && isSamePlace(from, to);
  return [
    ...(isOne
      ? [
        `both ends are ${
          placeName(placeOf(from))
        }: no packet leaves it, and nothing of the pod network is tried`,
      ]
      : []),
    ...(cause !== undefined || to.machine === undefined || !(out ?? home)
      ? []
      : [
        `the ${out === undefined ? "answer" : "packet"} goes by way of ${
          out ?? home
        }, which is at neither end`,
      ]),
    ...(called.address === to.address || cause?.kind === "rule" ? [] : [
      `what is sent to ${called.address} goes to ${
        to.machine === undefined ? to.address : placeName({
          machine: to.machine,
          ...(to.pod === undefined ? {} : { pod: to.pod }),
        })
      }: a rule rewrites it`,
    ]),
    ...(cause !== undefined || masked === undefined ? [] : [
      `${masked.place.machine} masquerades this path: the receiver sees ${masked.left?.source}`,
    ]),
    ...(isLost && deaf.length > 0
      ? [`${deaf.join(", ")} could not be listened at`]
      : []),
    ...(answered && (there.stop !== undefined || back.stop !== undefined)
      ? ["an answer came all the same: somebody else gave it"]
      : []),
  ];
}

/** The machine at neither end that a way goes by, and the rule that sent it there. */
function detourOf(
  { passages }: FollowedPacket["there"],
  { from, to, answersOf }: TraceFindings,
): string | undefined {
  const at = passages.findIndex(({ place: { machine } }) =>
    machine !== from.machine && machine !== to.machine
  );
  const detour = passages[at];
  if (detour === undefined) return undefined;
  const before = passages[at - 1];
  const packet = before && routedPacket(before);
  const rule = before && packet && ruleOf(answersOf(before.place), packet);
  const { machine } = detour.place;
  return rule === undefined
    ? machine
    : `${machine} (by the rule "${
      ruleText(rule)
    }" of ${before?.place.machine})`;
}
