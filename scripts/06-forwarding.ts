#!/usr/bin/env -S deno run -A
/**
 * Stage 06: lets each node forward for its pods. Docker and many firewalls
 * leave the chain FORWARD at DROP, and frames that only cross the bridge meet
 * the same chain.
 * Afterwards `iptables -S FORWARD` accepts the clusterCIDR both ways; with
 * firewall: nftables, `nft list table inet deno_cni` does.
 */
import { iptablesFor } from "../lib/net/iptables.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import { type Family, familyOf } from "../lib/net/cidr.ts";
import {
  bridgedFrames,
  forwardingSwitch,
} from "../lib/steps/forwarding_switch.ts";
import { heedRouters } from "../lib/steps/router_advertisements.ts";
import { clusterSet, nftProtocol, nftTable } from "../lib/net/nft_table.ts";
import {
  besideNftables,
  type ForwardRule,
} from "../lib/steps/beside_nftables.ts";
import { nftChain, nftTableOn } from "../lib/steps/nft_chain.ts";
import { remarkDroppers } from "../lib/steps/other_droppers.ts";
import { ruleIs } from "../lib/steps/probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { interfacesForward } from "../lib/steps/forwarding_interfaces.ts";
import { beforeForwardingGoes } from "../lib/kubernetes/undo_consent.ts";
import type { Plan, Step } from "../lib/stage/stage.ts";
import { mark } from "../lib/net/mark.ts";

/** Rules of iptables for a clusterCIDR, each with the command that asks for it. */
function accept(clusterCIDR: string): ForwardRule[] {
  const iptables = iptablesFor(clusterCIDR);
  const directions = ["-s", "-d"] as const;
  return directions.map((direction): ForwardRule => {
    const rule = [
      ...[direction, clusterCIDR],
      ...["-m", "comment", "--comment", mark, "-j", "ACCEPT"],
    ];
    const table = ["-w", "-t", "filter"];
    const check = cmd`${iptables} ${table} -C FORWARD ${rule}`;
    const undo = cmd`${iptables} ${table} -D FORWARD ${rule}`;
    const step: Step = {
      why: direction === "-s"
        ? "What pods send may pass, ahead of any rule that drops it"
        : "What is sent to pods may pass, answers among it",
      doneWhen: ruleIs(check),
      run: cmd`${iptables} ${table} -I FORWARD ${rule}`,
      undo,
      independent: true,
    };
    return { step, undo, check, clusterCIDR, direction };
  });
}

/** The same in nftables, as a chain of our own. */
function acceptChain(cluster: Plan["cluster"]): Step {
  return nftChain(
    "What pods send and get may pass: a table of our own says so, with the " +
      "clusterCIDRs as named sets",
    {
      name: "forward",
      type: "filter",
      hook: "forward",
      priority: ["filter", 0],
      rules: cluster.clusterCIDRs.flatMap((cidr) => {
        const [ip, set] = [nftProtocol(cidr), clusterSet(cidr)];
        return [
          { rule: `${ip} saddr @${set} accept`, why: "What pods send" },
          {
            rule: `${ip} daddr @${set} accept`,
            why: "What is sent to pods, answers among it",
          },
        ];
      }),
    },
    cluster,
  );
}

/** What the kernel has to be told, whatever the rules are written with. */
function settings(plan: Plan, family: Family): Step[] {
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
  ];
}

function inIptables({ cluster: { clusterCIDRs } }: Plan): Step[] {
  return clusterCIDRs.flatMap(accept).map(({ step }) => step);
}

function inNftables({ cluster }: Plan): Step[] {
  return [
    nftTableOn,
    acceptChain(cluster),
    ...cluster.clusterCIDRs.flatMap(accept)
      .flatMap(besideNftables),
  ];
}

export const forwarding = alsoAtBoot({
  name: "06-forwarding",
  summary: "let every node forward for its pods",
  afterwards: ({ clusterCIDRs: [first = ""], firewall }) => ({
    on: "node",
    run: firewall === "nftables"
      ? cmd`nft list chain ${nftTable} forward`
      : cmd`${iptablesFor(first)} -S FORWARD`,
  }),
  remarks: remarkDroppers,
  beforeUndo: beforeForwardingGoes,
  steps: (plan) => {
    const { clusterCIDRs, firewall } = plan.cluster;
    const isNftables = firewall === "nftables";
    return [
      ...clusterCIDRs.flatMap((clusterCIDR) => [
        ...settings(plan, familyOf(clusterCIDR)),
        ...(isNftables ? [] : accept(clusterCIDR).map(({ step }) => step)),
      ]),
      ...(isNftables ? inNftables(plan) : []),
    ];
  },
  instead: (plan) =>
    plan.cluster.firewall === "nftables" ? inIptables(plan) : inNftables(plan),
});

if (import.meta.main) await main(forwarding);
