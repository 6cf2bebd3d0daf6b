/** What ends packets at a link: XDP, tc, queueing disciplines, the bridge's ports, ARP. Pure. */
import { cmd } from "../../exec/command.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { type KernelSurvey, listsIn, type PathLink } from "./survey.ts";

/** The words of ip-link(8) for the modes of XDP. */
const modes = ["xdp", "xdpdrv", "xdpgeneric", "xdpoffload"] as const;

/** A program that the kernel asks before it makes a packet of a frame (ip-link(8), xdp). */
export function xdpObstacles(
  { space, links }: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  return links.filter(({ ifname, xdp }) =>
    xdp !== undefined && used.has(ifname)
  )
    .map(({ ifname, xdp }): Obstacle => {
      const name = xdp?.prog?.name;
      // "xdp off" leaves a program of another mode than the driver's in place.
      const word = modes[xdp?.mode ?? 0] ?? "xdp";
      return {
        kind: "xdp",
        is: "may lose",
        space,
        what: `an XDP program${name === undefined ? "" : ` (${name})`} is on ` +
          `${ifname} of ${spaceName(space)}: it decides on what comes in ` +
          "before any other part of the kernel sees it",
        evidence: [shownIn(
          space,
          cmd`ip -d link show dev ${ifname}`,
          `prog/xdp ${name ?? ""}`.trim(),
        )],
        remedies: [mendIn(space, cmd`ip link set dev ${ifname} ${word} off`)],
      };
    });
}

/** Filters of tc, whose programs and actions end packets (tc(8)). */
export function tcObstacles(
  { space, parts }: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  return [...parts].flatMap(([part, text]): readonly Obstacle[] => {
    const [, way = "", link = ""] = /^filter (ingress|egress) (.*)$/
      .exec(part) ?? [];
    const lines = text.split("\n").filter((line) => line.trim() !== "");
    const drops = /\b(action drop|gact action drop)\b|^\s*police /.test(text);
    const programs = lines.filter((line) => / bpf .*handle /.test(line));
    if (!used.has(link) || (!drops && programs.length === 0)) return [];
    const [program = lines[0] ?? ""] = programs;
    const name = / name (\S+) /.exec(program)?.[1];
    return [{
      kind: "tc",
      is: "may lose",
      space,
      what: `tc has ${
        drops
          ? "a filter that drops"
          : `a program${name === undefined ? "" : ` (${name})`}`
      } on what ${way === "ingress" ? "comes in by" : "leaves by"} ${link} ` +
        `of ${spaceName(space)}`,
      evidence: [shownIn(
        space,
        cmd`tc filter show dev ${link} ${way}`,
        drops ? lines.join("\n") : program,
      )],
      remedies: [mendIn(space, cmd`tc filter del dev ${link} ${way}`)],
    }];
  });
}

/** A queueing discipline as `tc -s -j qdisc show` has it. */
interface Qdisc {
  readonly kind: string;
  readonly dev: string;
  readonly root?: boolean;
  readonly drops?: number;
  readonly options?: {
    readonly "loss-random"?: { readonly loss?: number };
  };
}

/** Those that drop only what is more than the link can carry. */
const plain = new Set([
  ...["noqueue", "mq", "pfifo_fast", "fq", "fq_codel", "clsact", "ingress"],
]);

/** Queueing disciplines that lose packets on purpose, or have lost some. */
export function qdiscObstacles(
  survey: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  const { space } = survey;
  return listsIn<Qdisc>(survey, "qdiscs").flatMap((qdisc) => {
    const { kind, dev, drops = 0, options } = qdisc;
    const loss = options?.["loss-random"]?.loss ?? 0;
    if (!used.has(dev) || plain.has(kind) || (drops === 0 && loss === 0)) {
      return [];
    }
    return [{
      kind: "qdisc" as const,
      is: loss === 1 ? "loses" as const : "may lose" as const,
      space,
      what: `the queueing discipline ${kind} on ${dev} of ` +
        `${spaceName(space)} ` +
        (loss > 0
          ? `loses ${Math.round(loss * 100)} % of what leaves there`
          : `has dropped ${drops} packets that should leave there`),
      evidence: [shownIn(
        space,
        cmd`tc -s qdisc show dev ${dev}`,
        `qdisc ${kind} … (dropped ${drops}, …)`,
      )],
      remedies: [mendIn(space, cmd`tc qdisc del dev ${dev} root`)],
    }];
  });
}

/** Ports of the pods' bridge that do not pass on what comes (bridge(8), link set). */
export function portObstacles(
  survey: KernelSurvey,
  { links: used, bridge }: Traffic,
): readonly Obstacle[] {
  const { space, links } = survey;
  if (bridge === undefined) return [];
  const ports = links.filter(({ master }) => master === bridge);
  const isolated = ports.filter((port) => slave(port).isolated === true);
  const filters = links.find(({ ifname }) => ifname === bridge)
    ?.linkinfo?.info_data?.vlan_filtering === 1;
  return ports.filter(({ ifname }) => used.has(ifname)).flatMap((port) => {
    return [...settingsOf(port, isolated.length > 1)].map(
      ([[is, what, printed], ...mend]) =>
        portObstacle({ space, bridge, port, is, what, printed, mend }),
    );
  }).concat(filters ? vlanObstacles(survey, bridge, used) : []);
}

/** A setting of a port, as what it does to packets, and what mends it. */
type PortSetting = readonly [
  readonly [is: Obstacle["is"], what: string, printed: string],
  ...mend: readonly string[],
];

function* settingsOf(
  port: PathLink,
  othersIsolated: boolean,
): Generator<PortSetting> {
  const { state, learning, flood, isolated, locked } = slave(port);
  const stops = state !== undefined && state !== "forwarding";
  if (stops && port.flags.includes("LOWER_UP")) {
    const what = `is in the state ${state}: nothing passes it`;
    yield [["loses", what, `state ${state}`], "state", "3"];
  }
  if (isolated === true) {
    const is = othersIsolated ? "loses" : "may lose";
    const what =
      "is isolated: what comes by another isolated port is not passed to it";
    yield [[is, what, "isolated on"], "isolated", "off"];
  }
  if (locked === true) {
    const what = "is locked: what its pod sends is dropped";
    yield [["loses", what, "locked on"], "locked", "off"];
  }
  if (flood === false) {
    const learns = learning !== false;
    const what = "gets no frame whose receiver the bridge has not learnt" +
      (learns ? "" : ", and the bridge does not learn there");
    const printed = `learning ${learns ? "on" : "off"} flood off`;
    const mend = ["flood", "on", "learning", "on"];
    yield [[learns ? "may lose" : "loses", what, printed], ...mend];
  }
}

function portObstacle(
  { space, bridge, port: { ifname }, is, what, printed, mend }: {
    readonly space: Obstacle["space"];
    readonly bridge: string;
    readonly port: PathLink;
    readonly is: Obstacle["is"];
    readonly what: string;
    readonly printed: string;
    readonly mend: readonly string[];
  },
): Obstacle {
  return {
    kind: "bridge-port",
    is,
    space,
    what: `${ifname}, a port of ${bridge} on ${spaceName(space)}, ${what}`,
    evidence: [
      shownIn(space, cmd`bridge -d link show dev ${ifname}`, printed),
    ],
    remedies: [mendIn(space, cmd`bridge link set dev ${ifname} ${mend}`)],
  };
}

const slave = ({ linkinfo }: PathLink) => linkinfo?.info_slave_data ?? {};

/** A port's VLANs as `bridge -j vlan` has them. */
interface PortVlans {
  readonly ifname: string;
  readonly vlans?: readonly {
    readonly vlan: number;
    readonly flags?: readonly string[];
  }[];
}

/** A bridge that filters VLANs passes a frame only among ports of one VLAN. */
function vlanObstacles(
  survey: KernelSurvey,
  bridge: string,
  used: ReadonlySet<string>,
): readonly Obstacle[] {
  const { space } = survey;
  const pvidOf = ({ vlans = [] }: PortVlans) =>
    vlans.find(({ flags = [] }) => flags.includes("PVID"))?.vlan;
  const all = listsIn<PortVlans>(survey, "vlans");
  const own = all.find(({ ifname }) => ifname === bridge);
  const wanted = own === undefined ? undefined : pvidOf(own);
  return all.filter(({ ifname }) => used.has(ifname)).flatMap((port) => {
    const pvid = pvidOf(port);
    if (pvid !== undefined && pvid === wanted) return [];
    return [{
      kind: "bridge-port" as const,
      is: "loses" as const,
      space,
      what: `${bridge} on ${spaceName(space)} filters VLANs, and its port ` +
        `${port.ifname} is in ${pvid === undefined ? "none" : `VLAN ${pvid}`}` +
        `, the bridge itself in ${wanted === undefined ? "none" : wanted}`,
      evidence: [shownIn(
        space,
        cmd`bridge vlan show`,
        `${port.ifname} ${pvid === undefined ? "None" : `${pvid} PVID`}`,
      )],
      remedies: [
        mendIn(
          space,
          cmd`ip link set dev ${bridge} type bridge vlan_filtering 0`,
        ),
      ],
    }];
  });
}

/** A link that asks nobody for link-layer addresses, nor answers (ip-link(8), arp). */
export function arpObstacles(
  { space, links }: KernelSurvey,
  { links: used }: Traffic,
): readonly Obstacle[] {
  return links.filter(({ ifname, flags, link_type, addr_info }) =>
    used.has(ifname) && link_type === "ether" && flags.includes("NOARP") &&
    addr_info.some(({ scope }) => scope !== "link")
  ).map(({ ifname, flags }): Obstacle => ({
    kind: "arp",
    is: "loses",
    space,
    what: `ARP is off on ${ifname} of ${spaceName(space)}: it neither asks ` +
      "for link-layer addresses nor answers for its own",
    evidence: [shownIn(
      space,
      cmd`ip link show dev ${ifname}`,
      `${ifname}: <${flags.join(",")}>`,
    )],
    remedies: [mendIn(space, cmd`ip link set dev ${ifname} arp on`)],
  }));
}
