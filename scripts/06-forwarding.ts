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
import { ruleIs, sysctlIs } from "../lib/steps/probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { interfacesForward } from "../lib/steps/forwarding_interfaces.ts";
import type { Step } from "../lib/stage/stage.ts";
import { mark } from "../lib/net/mark.ts";

const ipv4Sysctls = [
  ["net.ipv4.ip_forward", "A node is a router for its pods"],
  [
    "net.bridge.bridge-nf-call-iptables",
    "Service addresses need frames on the bridge to meet iptables too",
  ],
] as const;

const ipv6Sysctls = [
  ["net.ipv6.conf.all.forwarding", "A node is a router for its pods"],
  [
    "net.bridge.bridge-nf-call-ip6tables",
    "Service addresses need frames on the bridge to meet ip6tables too",
  ],
] as const;

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
  };
}

export const forwarding = alsoAtBoot({
  name: "06-forwarding",
  summary: "let every node forward for its pods",
  afterwards: ({ clusterCIDRs: [first = ""] }) => ({
    on: "node",
    run: cmd`${iptablesFor(first)} -S FORWARD`,
  }),
  steps: (plan) =>
    plan.cluster.clusterCIDRs.flatMap((clusterCIDR) => [
      ...(clusterCIDR.includes(":") ? ipv6Sysctls : ipv4Sysctls)
        .map(([name, why]): Step => ({
          why,
          doneWhen: sysctlIs(name, "1"),
          run: cmd`sysctl -w ${name}=1`,
          undo: (previous: string) => cmd`sysctl -w ${name}=${previous}`,
        })),
      ...(clusterCIDR.includes(":") ? [] : [interfacesForward(plan)]),
      accept(clusterCIDR, "-s"),
      accept(clusterCIDR, "-d"),
    ]),
});

if (import.meta.main) await main(forwarding);
