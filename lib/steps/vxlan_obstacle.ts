/** What keeps a node from making its end of the tunnels, or from setting it up. Pure. */
import { cmd, type Command } from "../exec/command.ts";
import { familyOf } from "../net/cidr.ts";
import { readList } from "../net/ip_json.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { TunnelEnd, TunnelLink } from "./vxlan_end.ts";

/** Something that has the tunnels' port, or their VNI at it. */
export interface TunnelObstacle {
  readonly what: string;
  /** When its removal is right. */
  readonly unless: string;
  readonly removed: Command;
}

/**
 * Options that two links at one port have to share: the packets come by one
 * socket (drivers/net/vxlan, VXLAN_F_RCV_FLAGS).
 */
const ofSocket = [
  ...["external", "gbp", "gpe", "remcsum_rx", "udp_zero_csum6_rx"],
  "vnifilter",
];

/** @param stdout of vxlan_link.sh */
export function tunnelObstacle(
  stdout: string,
  end: TunnelEnd,
): TunnelObstacle | undefined {
  const lines = (word: string) =>
    stdout.split("\n").filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1));
  const here = readList<TunnelLink>(lines("vxlans")[0] ?? "")
    .filter(({ ifname }) => ifname !== tunnelLink)
    .map((link): Placed => ({ link, at: [], where: "" }));
  const moved = lines("moved").flatMap((line) => {
    const [, name = "", list = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
    return readList<TunnelLink>(list)
      .filter(({ link_netnsid }) => link_netnsid !== undefined)
      .map((link): Placed => ({
        link,
        at: ["-n", name],
        where: ` in the network namespace ${name}`,
      }));
  });
  return [...here, ...moved].flatMap((one) => ofLink(one, end) ?? [])[0] ??
    lines("socket").flatMap((line) => ofProcess(line, end) ?? [])[0];
}

interface Placed {
  readonly link: TunnelLink;
  /** Options of `ip` for it. */
  readonly at: readonly string[];
  readonly where: string;
}

function ofLink(
  { link, at, where }: Placed,
  end: TunnelEnd,
): TunnelObstacle | undefined {
  const { ifname, flags = [], linkinfo } = link;
  const { info_data: options = {} } = linkinfo ?? {};
  const { id, port } = options;
  if (ifname === undefined || port !== end.port) return undefined;
  const six = ["local6", "remote6", "group6"].some((name) => options[name]);
  const isOther = six !== (familyOf(end.local) === 6);
  const own = ofSocket.filter((name) => options[name]);
  const taken = own.length > 0
    ? flags.includes("UP") && (!isOther || own.includes("external"))
    : id === end.vni && !isOther;
  if (!taken) return undefined;
  return {
    what: own.length > 0
      ? `${ifname}${where} is a vxlan with port ${port} and the option ` +
        `${own.join(", ")}, and the kernel lets no vxlan without it have ` +
        "that port"
      : `${ifname}${where} is a vxlan with VNI ${id} and port ${port} already, ` +
        "and the kernel takes no second one",
    unless: "remove it if nothing needs it",
    removed: cmd`ip ${at} link del ${ifname}`,
  };
}

/** @param line of `ss -Hlunp`; the kernel's own sockets have no process */
function ofProcess(line: string, end: TunnelEnd): TunnelObstacle | undefined {
  const [, , , local = ""] = line.trim().split(/\s+/);
  const [, name = "", pid = ""] = /\(\("(.*?)",pid=(\d+)/.exec(line) ?? [];
  const ofFamily = familyOf(end.local) === 6 ? /^(\[|\*)/ : /^(\d|\*)/;
  if (pid === "" || !ofFamily.test(local)) return undefined;
  return {
    what: `UDP port ${end.port} is taken (${local}) by the process ${name}, ` +
      `pid ${pid}`,
    unless: "end it, or the service that it is of",
    removed: cmd`kill ${pid}`,
  };
}
