/** A node's end of the tunnels: how the kernel has it, and what may be in its way. */
import { cmd, type Command, type Outcome, show } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { parseIpList } from "../net/ip_json.ts";
import { mark } from "../net/mark.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { Answer, Probe } from "../stage/stage.ts";
import { askLink, unknown } from "./probes.ts";
import { otherwise, type TunnelEnd, type TunnelLink } from "./vxlan_end.ts";
import { type TunnelObstacle, tunnelObstacle } from "./vxlan_obstacle.ts";

/** Nothing is there of a link that is absent: neither entries nor addresses. */
export function noLink({ ended, stderr }: Outcome): boolean {
  // ip exits with 1, bridge with 255.
  return ended === undefined &&
    /does not exist|Cannot find device/.test(stderr);
}

/** Asks for the link and, where it carries nothing, for what may be in its way. */
function askTunnelLink(port: number): Command {
  return {
    ...cmd`sh -c ${tunnelLinkProgram} ask ${tunnelLink} ${port}`,
    label: `ip -d link show dev ${tunnelLink}`,
  };
}

/** The shell program that asks; it takes the link's name and the port. */
export const tunnelLinkProgram = shellProgram(
  "vxlan_link.sh",
  import.meta.url,
);

/** What such an answer says: the link, if it is there, and what is in its way. */
export function readTunnelLink(
  stdout: string,
  end: TunnelEnd,
): {
  readonly link: TunnelLink | undefined;
  readonly obstacle: TunnelObstacle | undefined;
} {
  const line = /^link (.*)$/m.exec(stdout)?.[1] ?? "";
  const [link] = parseIpList<TunnelLink>(line) ?? [];
  return { link, obstacle: tunnelObstacle(stdout, end) };
}

/** @param there what is asked of a link that is there */
function probeLink(
  end: TunnelEnd,
  there: (link: TunnelLink, obstacle?: TunnelObstacle) => Answer,
  absent: (obstacle?: TunnelObstacle) => Answer = () => ({ is: "absent" }),
): Probe {
  return {
    ask: askTunnelLink(end.port),
    read(outcome) {
      const { link, obstacle } = readTunnelLink(outcome.stdout, end);
      if (noLink(outcome)) return absent(obstacle);
      return link === undefined || outcome.code !== 0
        ? unknown(outcome, `whether ${tunnelLink} exists`)
        : there(link, obstacle);
    },
  };
}

/**
 * Is there a tunnel's end of ours, as it should be? One of ours that is otherwise
 * is made anew: an option of a VXLAN link cannot be changed.
 */
export function tunnelIs(end: TunnelEnd): Probe {
  return probeLink(end, (link) => {
    const wrong = otherwise(link, end);
    const found = `${tunnelLink} is not as this stage makes it: ${
      wrong.join("; ")
    }`;
    const kind = link.linkinfo?.info_kind ?? "link without a kind";
    if (kind === "vxlan" && link.ifalias === mark) {
      return wrong.length === 0 ? { is: "present", ours: true } : {
        is: "absent",
        ours: true,
        found,
        replaces: cmd`ip link del ${tunnelLink}`,
      };
    }
    const foreign = `${tunnelLink} is a ${kind} that this tool did not make`;
    const remedy = `remove it (ip link del ${tunnelLink}) if nothing needs ` +
      "it, and run this stage again";
    if (kind !== "vxlan" || link.ifalias !== undefined) {
      return { is: "different", found: foreign, remedy };
    }
    return wrong.length === 0
      ? { is: "unmarked", found: foreign, remedy }
      : { is: "different", found, remedy };
  }, inTheWay);
}

/** Is the tunnel's end up? */
export function tunnelIsUp(end: TunnelEnd): Probe {
  return probeLink(
    end,
    (link, obstacle) =>
      link.flags?.includes("UP") ? { is: "present" } : inTheWay(obstacle),
  );
}

function inTheWay(obstacle: TunnelObstacle | undefined): Answer {
  if (obstacle === undefined) return { is: "absent" };
  const { what, removed, unless } = obstacle;
  return {
    is: "different",
    found: what,
    remedy: `${unless}: ${show(removed)}; or choose another port or VNI in ` +
      "the cluster file (vxlan: {port: …, vni: …}). Then run this stage again",
  };
}

/** Has the tunnel's end this MTU? */
export function tunnelMtuIs(mtu: number): Probe {
  return {
    ask: askLink(tunnelLink),
    read(outcome) {
      if (noLink(outcome)) return { is: "absent" };
      const [link] = outcome.code === 0
        ? parseIpList<TunnelLink>(outcome.stdout) ?? []
        : [];
      if (link === undefined) {
        return unknown(outcome, `the MTU of ${tunnelLink}`);
      }
      return link.mtu === mtu ? { is: "present" } : { is: "absent" };
    },
  };
}
