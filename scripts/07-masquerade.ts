#!/usr/bin/env -S deno run -A
/**
 * Stage 07: gives pods a way out of the cluster, and only there: between pods
 * Kubernetes wants no NAT, so the clusterCIDR is exempt.
 * Afterwards `iptables -t nat -S POSTROUTING` shows the rule; with
 * firewall: nftables, `nft list table inet deno_cni` does.
 */
import { iptablesFor } from "../lib/net/iptables.ts";
import { familyOf, ofFamily } from "../lib/net/cidr.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import {
  clusterSet,
  nftProtocol,
  nftTable,
  plainCidr,
} from "../lib/net/nft_table.ts";
import { leftOfIptables } from "../lib/steps/beside_nftables.ts";
import { nftChain, nftTableOn } from "../lib/steps/nft_chain.ts";
import { ruleIs } from "../lib/steps/probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { beforeMasqueradeGoes } from "../lib/kubernetes/undo_consent.ts";
import type { Plan, Step } from "../lib/stage/stage.ts";
import { mark } from "../lib/net/mark.ts";

const why = "Nobody outside knows the way back to a pod, so what leaves the " +
  "cluster leaves as the node; what stays inside keeps its address";

function inIptables({ node, cluster }: Plan): Step[] {
  return node.podCIDRs.map((podCIDR): Step => {
    const iptables = iptablesFor(podCIDR);
    const table = ["-w", "-t", "nat"];
    const clusterCIDR = ofFamily(cluster.clusterCIDRs, familyOf(podCIDR));
    const rule = [
      ...["-s", podCIDR, "!", "-d", clusterCIDR ?? podCIDR],
      ...["!", "-o", cluster.bridge],
      ...["-m", "comment", "--comment", mark, "-j", "MASQUERADE"],
    ];
    return {
      why,
      doneWhen: ruleIs(cmd`${iptables} ${table} -C POSTROUTING ${rule}`),
      run: cmd`${iptables} ${table} -A POSTROUTING ${rule}`,
      undo: cmd`${iptables} ${table} -D POSTROUTING ${rule}`,
    };
  });
}

/** The same in nftables: a chain in the table that 06 has its own in. */
function inNftables({ node, cluster }: Plan): readonly Step[] {
  const rules = node.podCIDRs.map((podCIDR) => {
    const ip = nftProtocol(podCIDR);
    return {
      why: `What pods of this node send out of the cluster, of ${
        ip === "ip" ? "IPv4" : "IPv6"
      }`,
      rule: [
        `${ip} saddr ${plainCidr(podCIDR)}`,
        `${ip} daddr != @${clusterSet(podCIDR)}`,
        `oifname != "${cluster.bridge}" masquerade`,
      ].join(" "),
    };
  });
  return [
    nftTableOn,
    nftChain(
      why,
      {
        name: "postrouting",
        type: "nat",
        hook: "postrouting",
        priority: ["srcnat", 100],
        rules,
      },
      cluster,
    ),
  ];
}

export const masquerade = alsoAtBoot({
  name: "07-masquerade",
  summary: "give pods a way out of the cluster",
  afterwards: ({ clusterCIDRs: [first = ""], firewall }) => ({
    on: "node",
    run: firewall === "nftables"
      ? cmd`nft list chain ${nftTable} postrouting`
      : cmd`${iptablesFor(first)} -t nat -S POSTROUTING`,
  }),
  needsPodCIDRs: true,
  beforeUndo: beforeMasqueradeGoes,
  steps: (plan) =>
    plan.cluster.firewall === "nftables" ? inNftables(plan) : inIptables(plan),
  instead: (plan) =>
    plan.cluster.firewall === "nftables"
      ? inIptables(plan).map((step, at) =>
        leftOfIptables(step, plan.node.podCIDRs[at] ?? "")
      )
      : inNftables(plan),
});

if (import.meta.main) await main(masquerade);
