#!/usr/bin/env -S deno run -A
/**
 * Stage 03: tells each node's container runtime which plugin to call, and the
 * plugin which addresses are its own.
 */
import { main } from "../lib/cli/stage_script.ts";
import { cmd } from "../lib/exec/command.ts";
import { write } from "../lib/exec/shell_file.ts";
import { fileIs } from "../lib/steps/file_probes.ts";
import type { Plan, Stage } from "../lib/stage/stage.ts";
import { beforeNetworkGoes } from "../lib/kubernetes/undo_consent.ts";
import { mark } from "../lib/net/mark.ts";

const path = "/etc/cni/net.d/10-deno-cni.conflist";

/** The network configuration list of a node (CNI SPEC.md, section 1). */
function conflist({ cluster, node }: Plan): string {
  const { clusterCIDRs, cniVersion, bridge, mtu } = cluster;
  const plugin = {
    type: mark,
    ...(clusterCIDRs.length === 1
      ? { network: clusterCIDRs[0], subnet: node.podCIDRs[0] }
      : { networks: clusterCIDRs, subnets: node.podCIDRs }),
    bridge,
    ...(mtu === undefined ? {} : { mtu }),
    hairpinMode: cluster.plugin.hairpin,
  };
  return JSON.stringify(
    { cniVersion, name: mark, plugins: [plugin] },
    null,
    2,
  ) +
    "\n";
}

/** A list by the name that this stage gives it is of this stage's writing. */
function isOurs(text: string): boolean {
  return text.includes(`"name": "${mark}"`);
}

export const cniConfig: Stage = {
  name: "03-cni-config",
  summary: "tell each node's runtime which plugin to call",
  afterwards: `cat ${path}`,
  needsPodCIDRs: true,
  beforeUndo: beforeNetworkGoes,
  steps: (plan) => [{
    why: "The runtime calls what the first file of this folder names; " +
      "the plugin reads its podCIDR there",
    doneWhen: fileIs(path, conflist(plan), isOurs, "600"),
    run: write(path, conflist(plan), "600"),
    undo: cmd`rm -f ${path}`,
  }],
};

if (import.meta.main) await main(cniConfig);
