/** The host veths of pods that live, by our alias on them. Pure. */
import { ownerOf } from "../../plugin/veth.ts";
import { cmd, type Command } from "../exec/command.ts";
import { mark } from "../net/mark.ts";
import { calledName, type InventoryLink } from "../net/ip_json.ts";
import type { Host } from "./inventory.ts";

/** A pod that lives, and whose host veth carries nothing to or from the bridge. */
export interface CutOff {
  readonly link: InventoryLink;
  /** What is wrong with it, as in "veth1 is not plugged into cni0". */
  readonly how: string;
}

/**
 * The veths with our alias that are no port of the bridge, or are down. A veth goes
 * with its pod's network namespace, so each is of a pod that lives.
 */
export function cutOff(
  links: readonly InventoryLink[],
  bridge: string,
): readonly CutOff[] {
  return links.flatMap((link): readonly CutOff[] => {
    const { kind, alias = "", master, up } = link;
    if (kind !== "veth" || !alias.startsWith(`${mark} `)) return [];
    if (master === undefined) {
      return [{ link, how: `is not plugged into ${bridge}` }];
    }
    // A network that was configured by hand may have a bridge of its own.
    if (master !== bridge && alias.startsWith(`${mark} ${mark} `)) {
      return [{ link, how: `is a port of ${master}` }];
    }
    return up ? [] : [{ link, how: "is down" }];
  });
}

/** What to call the pod behind a veth: its own name, else its container's ID. */
export function podBehind(
  { name, alias = "" }: InventoryLink,
  { pods }: Pick<Host, "pods">,
): string {
  const pod = pods.find(({ hostLink }) => hostLink?.name === name);
  return pod === undefined
    ? ownerOf(alias)?.containerID ?? name
    : calledName(pod);
}

/** Plugs veths into the bridge, as ADD did. */
export function plugIn(
  cut: readonly CutOff[],
  bridge: string,
  hairpin: boolean,
): Command {
  const script = 'bridge=$1; shift; for veth; do ip link set dev "$veth" ' +
    'master "$bridge" up' +
    (hairpin
      ? ' && ip link set dev "$veth" type bridge_slave hairpin on'
      : "") +
    "; done";
  return cmd`sh -c ${script} plug ${bridge} ${
    cut.map(({ link }) => link.name)
  }`;
}

/** Whether a network configuration has pods reach themselves by a service. */
export function wantsHairpin(
  { list }: { readonly list?: { readonly text: string } | undefined },
): boolean {
  return /"hairpinMode"\s*:\s*true/.test(list?.text ?? "");
}
