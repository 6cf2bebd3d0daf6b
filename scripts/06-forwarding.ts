#!/usr/bin/env -S deno run -A
/**
 * Stage 06: lets each node forward for its pods. Docker and many firewalls
 * leave the chain FORWARD at DROP, and frames that only cross the bridge meet
 * the same chain.
 * Afterwards `iptables -S FORWARD` accepts the clusterCIDR both ways.
 */
import { iptablesFor } from "../lib/net/iptables.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import { familyOf } from "../lib/net/cidr.ts";
import {
  bridgedFrames,
  forwardingSwitch,
} from "../lib/steps/forwarding_switch.ts";
import { heedRouters } from "../lib/steps/router_advertisements.ts";
import { ruleIs } from "../lib/steps/probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { interfacesForward } from "../lib/steps/forwarding_interfaces.ts";
import { beforeForwardingGoes } from "../lib/kubernetes/undo_consent.ts";
import type { Step } from "../lib/stage/stage.ts";
import { mark } from "../lib/net/mark.ts";

function accept(clusterCIDR: string, direction: "-s" | "-d"): Step {
  const iptables = iptablesFor(clusterCIDR);
  const rule = [
    ...[direction, clusterCIDR],
    ...["-m", "comment", "--comment", mark, "-j", "ACCEPT"],
  ];
  const table = ["-w", "-t", "filter"];
  return {
    why: direction === "-s"
      ? "What pods send may pass, ahead of any rule that drops it"
      : "What is sent to pods may pass, answers among it",
    doneWhen: ruleIs(cmd`${iptables} ${table} -C FORWARD ${rule}`),
    run: cmd`${iptables} ${table} -I FORWARD ${rule}`,
    undo: cmd`${iptables} ${table} -D FORWARD ${rule}`,
    independent: true,
  };
}

export const forwarding = alsoAtBoot({
  name: "06-forwarding",
  summary: "let every node forward for its pods",
  afterwards: ({ clusterCIDRs: [first = ""] }) => ({
    on: "node",
    run: cmd`${iptablesFor(first)} -S FORWARD`,
  }),
  beforeUndo: beforeForwardingGoes,
  steps: (plan) =>
    plan.cluster.clusterCIDRs.flatMap((clusterCIDR) => {
      const family = familyOf(clusterCIDR);
      return [
        ...(family === 6
          ? [heedRouters(plan.cluster.bridge, plan.node.addresses)]
          : []),
        forwardingSwitch(family, "A node is a router for its pods"),
        bridgedFrames(
          family,
          "Service addresses need frames on the bridge to meet " +
            `${family === 4 ? "iptables" : "ip6tables"} too`,
        ),
        ...(family === 4 ? [interfacesForward(plan)] : []),
        accept(clusterCIDR, "-s"),
        accept(clusterCIDR, "-d"),
      ];
    }),
});

if (import.meta.main) await main(forwarding);
