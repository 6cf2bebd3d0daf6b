#!/usr/bin/env -S deno run -A
/**
 * Stage 03: tells each node's container runtime which plugin to call, and the
 * plugin which addresses are its own.
 */
import { cmd } from "../lib/exec/command.ts";
import { main } from "../lib/cli/stage_script.ts";
import { linkPortmap } from "../lib/cni/link_portmap.ts";
import {
  conflistIs,
  conflistPath,
  removeConflist,
  writeConflist,
} from "../lib/cni/conflist.ts";
import type { Stage } from "../lib/stage/stage.ts";
import { beforePluginGoes } from "../lib/kubernetes/undo_consent.ts";

export const cniConfig: Stage = {
  name: "03-cni-config",
  summary: "tell each node's runtime which plugin to call",
  afterwards: () => ({ on: "node", run: cmd`cat ${conflistPath}` }),
  needsPodCIDRs: true,
  beforeUndo: beforePluginGoes,
  steps: (plan) => [...linkPortmap(plan.cluster), {
    why: "The runtime calls what the first file of this folder names; " +
      "the plugin reads its podCIDR there" +
      (plan.cluster.plugin.portmap === false
        ? ""
        : ". portmap, where the node has it, maps the hostPorts of pods"),
    doneWhen: conflistIs(plan),
    run: writeConflist(plan),
    undo: { cleanup: removeConflist() },
  }],
};

if (import.meta.main) await main(cniConfig);
