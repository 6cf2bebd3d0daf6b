/** The packets of a path, as they pass the hooks of one network namespace. Pure. */
import type { Packet } from "../../net/iptables.ts";
import type { Flow, Traffic } from "./obstacle.ts";
import type { KernelSurvey } from "./survey.ts";

/** Netfilter's hooks, by the name of iptables' chain there. */
export type PacketHook =
  | "PREROUTING"
  | "INPUT"
  | "FORWARD"
  | "OUTPUT"
  | "POSTROUTING";

/**
 * The packets that pass a hook. A packet from an address of the namespace's
 * own is sent there, one to such an address is taken there.
 */
export function packetsOf(
  survey: KernelSurvey,
  { flows, linkTo }: Traffic,
  hook: PacketHook,
): readonly Packet[] {
  const own = ownAddresses(survey);
  return flows.flatMap((flow: Flow) => {
    const { source, destination } = flow;
    const sent = own.has(source);
    const taken = own.has(destination);
    if (sent && taken) return [];
    const come = sent ? undefined : linkTo(source);
    const leave = taken ? undefined : linkTo(destination);
    const passes = {
      PREROUTING: !sent,
      INPUT: taken,
      FORWARD: !sent && !taken && survey.space.pod === undefined,
      OUTPUT: sent,
      POSTROUTING: !taken,
    };
    if (!passes[hook]) return [];
    // A hook before the routing decision knows no link to leave by, the last none to come by.
    const knowsIn = hook !== "POSTROUTING" && hook !== "OUTPUT";
    const knowsOut = hook !== "PREROUTING" && hook !== "INPUT";
    return [{
      ...flow,
      ...(knowsIn && come !== undefined ? { in: come } : {}),
      ...(knowsOut && leave !== undefined ? { out: leave } : {}),
    }];
  });
}

/** The addresses of a namespace's own links. */
export function ownAddresses({ links }: KernelSurvey): ReadonlySet<string> {
  return new Set(
    links.flatMap(({ addr_info }) => addr_info.map(({ local }) => local)),
  );
}

/** Packets that a rule may tell apart, the usual one first. */
const shapes = [
  { protocol: "tcp", length_bytes: 84 },
  { protocol: "icmp", length_bytes: 84 },
  { protocol: "tcp", length_bytes: 1500 },
  { protocol: "icmp", length_bytes: 1500 },
] as const;

/** The same of UDP, which is told of where it was asked about alone. */
const udpShapes = [84, 1500].map((length_bytes) => (
  { protocol: "udp", length_bytes } as const
));

type Shape = typeof shapes[number] | typeof udpShapes[number];

/** What a packet may be. */
export function shapesOf({ protocol }: Packet): readonly Shape[] {
  return protocol === "udp" ? udpShapes : shapes;
}

export function isShape(
  { protocol, length_bytes }: Packet,
  shape: Shape,
): boolean {
  return (protocol ?? shape.protocol) === shape.protocol &&
    (length_bytes ?? shape.length_bytes) === shape.length_bytes;
}

/** What tells the packets apart that a rule is for; nothing where it is for all. */
export function calledShapes(hit: readonly Shape[]): string {
  const isUdp = hit.every(({ protocol }) => protocol === "udp");
  if (hit.length === (isUdp ? udpShapes : shapes).length) return "";
  const long = hit.every(({ length_bytes }) => length_bytes === 1500);
  const protocols = new Set(hit.map(({ protocol }) => protocol));
  return (protocols.size > 1
    ? ""
    : ` to ${[...protocols].join().toUpperCase()}`) +
    (long ? " to packets of 1500 bytes" : "");
}
