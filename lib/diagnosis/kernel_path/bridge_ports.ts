/** What ends packets at the pods' bridge: its ports, VLANs, what it knows of frames. Pure. */
import { cmd } from "../../exec/command.ts";
import {
  mendIn,
  type Obstacle,
  shownIn,
  spaceName,
  type Traffic,
} from "./obstacle.ts";
import { blockOf, literally, wantedLines, wantedWords } from "./printed.ts";
import { type KernelSurvey, listsIn, type PathLink } from "./survey.ts";

/** Ports of the pods' bridge that do not pass on what comes (bridge(8), link set). */
export function portObstacles(
  survey: KernelSurvey,
  traffic: Traffic,
): readonly Obstacle[] {
  const { links } = survey;
  const { links: used, bridge } = traffic;
  if (bridge === undefined) return [];
  const ports = links.filter(({ master }) => master === bridge);
  const isolated = ports.filter((port) => slave(port).isolated === true);
  const filters = links.find(({ ifname }) => ifname === bridge)
    ?.linkinfo?.info_data?.vlan_filtering === 1;
  return [
    ...ports.filter(({ ifname }) => used.has(ifname)).flatMap((port) =>
      [...settingsOf(port, isolated.length > 1)].map((setting) =>
        portObstacle(survey, bridge, port.ifname, setting)
      )
    ),
    ...(filters ? vlanObstacles(survey, bridge, used) : []),
    ...frameObstacles(survey, bridge, traffic),
  ];
}

/** Where the bridge sends frames, as `bridge -j fdb` has it. */
interface FrameEntry {
  readonly mac: string;
  readonly ifname: string;
  readonly master?: string;
  /** "" for what was learnt. */
  readonly state: string;
}

/** Entries that were written down by hand, and send a pod's frames elsewhere. */
function frameObstacles(
  survey: KernelSurvey,
  bridge: string,
  { podPorts }: Traffic,
): readonly Obstacle[] {
  const { space, parts } = survey;
  return listsIn<FrameEntry>(survey, "frames").flatMap((entry) => {
    const { mac, ifname, master, state } = entry;
    const right = podPorts.get(mac);
    // A permanent one is the bridge's own: what comes for it is the node's.
    const isWrong = master === bridge && state !== "" && right !== undefined &&
      (right !== ifname || state === "permanent");
    if (!isWrong) return [];
    const line = (parts.get("frames.text") ?? "").split("\n").find((line) =>
      line.startsWith(`${mac} dev ${ifname} `) && line.includes(` ${state}`)
    );
    return [{
      kind: "bridge-port" as const,
      is: "loses" as const,
      space,
      what: `${bridge} on ${spaceName(space)} has it written down that ` +
        `${mac} is ${
          state === "permanent" ? "the node's own" : `behind ${ifname}`
        }, and that pod is behind ${right}`,
      evidence: [
        shownIn(space, cmd`bridge fdb show br ${bridge}`, line?.trim() ?? mac),
      ],
      remedies: [
        mendIn(space, cmd`bridge fdb del ${mac} dev ${ifname} master`),
      ],
    }];
  });
}

/** A setting of a port: what it does to packets, how it is printed, what mends it. */
interface PortSetting {
  readonly is: Obstacle["is"];
  readonly what: string;
  readonly printed: string;
  readonly mend: readonly string[];
}

function* settingsOf(
  port: PathLink,
  othersIsolated: boolean,
): Generator<PortSetting> {
  const { state, learning, flood, isolated, locked } = slave(port);
  const stops = state !== undefined && state !== "forwarding";
  if (stops && port.flags.includes("LOWER_UP")) {
    const what = `is in the state ${state}: nothing passes it`;
    const mend = ["state", "3"];
    yield { is: "loses", what, printed: `state ${state}`, mend };
  }
  if (isolated === true) {
    const what =
      "is isolated: what comes by another isolated port is not passed to it";
    const is = othersIsolated ? "loses" : "may lose";
    yield { is, what, printed: "isolated on", mend: ["isolated", "off"] };
  }
  if (locked === true) {
    const what =
      "is locked: what its pod sends is dropped, unless the bridge knows the " +
      "pod already";
    const mend = ["locked", "off"];
    yield { is: "may lose", what, printed: "locked on", mend };
  }
  if (flood === false) {
    const learns = learning !== false;
    const what = "gets no frame whose receiver the bridge has not learnt" +
      (learns ? "" : ", and the bridge does not learn there");
    const printed = `learning ${learns ? "on" : "off"} flood off`;
    const mend = ["flood", "on", "learning", "on"];
    yield { is: learns ? "may lose" : "loses", what, printed, mend };
  }
  yield* notFlooded(port);
}

/** ARP and IPv6's neighbour discovery ask all ports at once. */
function* notFlooded(port: PathLink): Generator<PortSetting> {
  const { bcast_flood, mcast_flood } = slave(port);
  const asked = "a link-layer address: other pods of the node do not find it";
  if (bcast_flood === false) {
    const what = `gets no broadcast, ARP's question for ${asked}`;
    const mend = ["bcast_flood", "on"];
    yield { is: "may lose", what, printed: "bcast_flood off", mend };
  }
  if (mcast_flood === false) {
    const what = `gets no multicast, IPv6's question for ${asked}`;
    const mend = ["mcast_flood", "on"];
    yield { is: "may lose", what, printed: "mcast_flood off", mend };
  }
}

function portObstacle(
  survey: KernelSurvey,
  bridge: string,
  ifname: string,
  { is, what, printed, mend }: PortSetting,
): Obstacle {
  const { space, parts } = survey;
  const [head = "", ...rest] = blockOf(
    parts.get("ports.text"),
    new RegExp(`^\\d+: ${literally(ifname)}[@:]`),
  );
  const word = new RegExp(`(?<=\\s)${literally(printed)}(?=\\s|$)`);
  const lines = [head, ...rest].filter((line, at) =>
    at === 0 || word.test(line)
  )
    .map((line) => wantedWords(line, word));
  return {
    kind: "bridge-port",
    is,
    space,
    what: `${ifname}, a port of ${bridge} on ${spaceName(space)}, ${what}`,
    evidence: [
      shownIn(
        space,
        cmd`bridge -d link show dev ${ifname}`,
        head === "" ? printed : lines.join("\n"),
      ),
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
      evidence: [
        shownIn(
          space,
          cmd`bridge vlan show`,
          vlanLines(survey, [port.ifname, bridge]),
        ),
      ],
      remedies: [
        mendIn(
          space,
          cmd`ip link set dev ${bridge} type bridge vlan_filtering 0`,
        ),
      ],
    }];
  });
}

/** Of all links' VLANs, those of these links; a further VLAN of a link is indented. */
function vlanLines(
  { parts }: KernelSurvey,
  names: readonly string[],
): string {
  const lines = (parts.get("vlans.text") ?? "").trimEnd().split("\n");
  let name = "";
  return wantedLines(lines, (line) => {
    name = /^\S+/.exec(line)?.[0] ?? name;
    return names.includes(name);
  });
}
