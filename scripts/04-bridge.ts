#!/usr/bin/env -S deno run -A
/**
 * Stage 04: a switch on every node for its pods to plug into.
 * Afterwards `ip addr show cni0` shows the first host address of the node's
 * podCIDR.
 */
import { gateway } from "../lib/net/cidr.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import { addressOn, linkIs, linkMarked, linkUp } from "../lib/steps/probes.ts";
import { plugPorts } from "../lib/steps/bridge_ports.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { type LinkSetting, linkSettingOff } from "../lib/steps/link_setting.ts";
import { settingName, takenFromPods } from "../lib/net/interface_settings.ts";
import { beforeBridgeGoes } from "../lib/kubernetes/undo_consent.ts";
import type { Step } from "../lib/stage/stage.ts";
import { mac } from "../lib/net/mac.ts";
import type { ClusterNode } from "../lib/cluster/cluster.ts";
import { mark } from "../lib/net/mark.ts";

/** A locally administered MAC address (IEEE 802, the second bit), always the same for a node. */
function bridgeMac({ name }: ClusterNode): string {
  return mac(`bridge ${name}`);
}

/** What `takenFromPods` would let a pod do. */
const harm = {
  accept_ra: "A router advertisement would make a pod the node's router",
  accept_redirects: "A redirect would send others' packets to a pod",
  accept_source_route: "A packet's way is the kernel's to choose",
} as const;

/** @param needed what cannot be without the family; see linkSettingOff() */
function off(setting: LinkSetting, why: string, needed?: string): Step {
  const name = settingName(setting.family, setting.name, setting.link);
  // -e: at boot, a setting that the kernel does not have is passed over.
  return {
    why,
    doneWhen: linkSettingOff(setting, needed),
    run: cmd`sysctl -e -w ${name}=0`,
    undo: (previous: string) => cmd`sysctl -e -w ${name}=${previous}`,
    independent: true,
  };
}

export const bridge = alsoAtBoot({
  name: "04-bridge",
  summary: "put a bridge on every node",
  afterwards: ({ bridge }) => ({
    on: "node",
    run: cmd`ip addr show ${bridge}`,
  }),
  needsPodCIDRs: true,
  beforeUndo: beforeBridgeGoes,
  steps: ({ node, cluster: { bridge, plugin, clusterCIDRs } }) => [
    {
      why:
        "A bridge is a switch inside the kernel; each pod's veth will be one of its ports. " +
        "Without an address of its own it would take a port's, and change it with them",
      doneWhen: linkIs(bridge, "bridge", clusterCIDRs),
      run: cmd`ip link add ${bridge} address ${bridgeMac(node)} type bridge`,
      undo: cmd`ip link del ${bridge}`,
    },
    {
      why:
        "The alias marks the bridge as ours; one without it is never touched",
      doneWhen: linkMarked(bridge),
      run: cmd`ip link set ${bridge} alias ${mark}`,
    },
    ...takenFromPods.map(({ family, name }): Step =>
      off({ link: bridge, family, name }, harm[name])
    ),
    ...node.podCIDRs.filter((podCIDR) => podCIDR.includes(":")).map((
      podCIDR,
    ): Step =>
      off(
        { link: bridge, family: 6, name: "disable_ipv6" },
        "A link for which IPv6 is off takes no address of it",
        podCIDR,
      )
    ),
    ...node.podCIDRs.map((podCIDR): Step => ({
      why: "Pods use this address as their default gateway",
      doneWhen: addressOn(bridge, gateway(podCIDR)),
      run: cmd`ip addr add ${gateway(podCIDR)} dev ${bridge} ${
        podCIDR.includes(":") ? ["nodad"] : []
      }`,
      undo: cmd`ip addr del ${gateway(podCIDR)} dev ${bridge}`,
    })),
    {
      why: "A link carries nothing until it is up",
      doneWhen: linkUp(bridge),
      run: cmd`ip link set ${bridge} up`,
      undo: cmd`ip link set ${bridge} down`,
    },
    plugPorts(bridge, plugin.hairpin),
  ],
});

if (import.meta.main) await main(bridge);
