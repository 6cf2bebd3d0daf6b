#!/usr/bin/env -S deno run -A
/**
 * Stage 07: gives pods a way out of the cluster, and only there: between pods
 * Kubernetes wants no NAT, so the clusterCIDR is exempt.
 * Afterwards `iptables -t nat -S POSTROUTING` shows the rule.
 */
import { iptablesFor } from "../lib/net/iptables.ts";
import { familyOf, ofFamily } from "../lib/net/cidr.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import { ruleIs } from "../lib/steps/probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { beforeMasqueradeGoes } from "../lib/kubernetes/undo_consent.ts";
import type { Step } from "../lib/stage/stage.ts";
import { mark } from "../lib/net/mark.ts";

export const masquerade = alsoAtBoot({
  name: "07-masquerade",
  summary: "give pods a way out of the cluster",
  afterwards: ({ clusterCIDRs: [first = ""] }) => ({
    on: "node",
    run: cmd`${iptablesFor(first)} -t nat -S POSTROUTING`,
  }),
  needsPodCIDRs: true,
  beforeUndo: beforeMasqueradeGoes,
  steps: ({ node, cluster }) =>
    node.podCIDRs.map((podCIDR): Step => {
      const iptables = iptablesFor(podCIDR);
      const table = ["-w", "-t", "nat"];
      const clusterCIDR = ofFamily(cluster.clusterCIDRs, familyOf(podCIDR));
      const rule = [
        ...["-s", podCIDR, "!", "-d", clusterCIDR ?? podCIDR],
        ...["!", "-o", cluster.bridge],
        ...["-m", "comment", "--comment", mark, "-j", "MASQUERADE"],
      ];
      return {
        why: "Nobody outside knows the way back to a pod, so what leaves the " +
          "cluster leaves as the node; what stays inside keeps its address",
        doneWhen: ruleIs(cmd`${iptables} ${table} -C POSTROUTING ${rule}`),
        run: cmd`${iptables} ${table} -A POSTROUTING ${rule}`,
        undo: cmd`${iptables} ${table} -D POSTROUTING ${rule}`,
      };
    }),
});

if (import.meta.main) await main(masquerade);
