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
import { grown } from "./kernel_counters.ts";
import { type Told, traceHops } from "./hops.ts";
import type { End } from "./endpoints.ts";
import type { FollowedPacket, TraceFindings } from "./findings.ts";
import type { Passage } from "./packet_path.ts";

/** What a report is made of. */
interface Findings {
  readonly findings: TraceFindings;
  readonly sent: readonly FollowedPacket[];
  readonly cause: Cause | undefined;
  readonly family: Family;
  readonly clusterName: string;
}

/** Puts a report together. */
export function traceReport(
  { findings, sent, cause, family, clusterName }: Findings,
): TraceReport {
  const { from, to, followed, cluster, answersOf } = findings;
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
    to: endOf(to, findings),
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
  { cluster, machines, answersOf }: TraceFindings,
  cause: Cause | undefined,
): Decision | undefined {
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
  const before = machines.get(place.machine)?.counters;
  if (before === undefined || place.pod !== undefined) return undefined;
  const more = grown(before, answersOf(place).after);
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
  const { kind, command, size_bytes } = sending;
  return {
    kind,
    command: show(command),
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
  { there, back, answered }: FollowedPacket,
  cause: Cause | undefined,
  { from, to }: TraceFindings,
): readonly string[] {
  const detours = [there, back].map(({ passages }) =>
    passages.map(({ place: { machine } }) => machine)
      .find((machine) => machine !== from.machine && machine !== to.machine)
  );
  const masked = there.passages.find(rewrites);
  const [out, home] = detours;
  return [
    ...(cause !== undefined || to.machine === undefined || !(out ?? home)
      ? []
      : [
        `the ${out === undefined ? "answer" : "packet"} goes by way of ${
          out ?? home
        }, which is at neither end`,
      ]),
    ...(cause !== undefined || masked === undefined ? [] : [
      `${masked.place.machine} masquerades this path: the receiver sees ${masked.left?.source}`,
    ]),
    ...(answered && (there.stop !== undefined || back.stop !== undefined)
      ? ["an answer came all the same: somebody else gave it"]
      : []),
  ];
}
