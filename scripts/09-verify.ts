#!/usr/bin/env -S deno run -A
/**
 * Stage 09: starts two test pods on every worker, by kubectl where there is a
 * Kubernetes, else as a container runtime would; tries every path between pods,
 * nodes and the outside; and compares what it saw with what the completed
 * stages should have brought about. A lab's pods and servers stay, for a look
 * around, until `--undo`; on real machines the servers end with the check, and
 * pods stay only with `--keep`.
 */
import { verifyMain } from "../lib/cli/verify_script.ts";
import type { Verification } from "../lib/verify/run_verify.ts";
import { caller } from "../lib/verify/namespace_pods.ts";
import { tracePath } from "../lib/trace/verified_path.ts";
import { cniConfig } from "./03-cni-config.ts";
import { probedStages } from "./stages.ts";

export const verification: Verification = {
  stage: {
    name: "09-verify",
    summary: "start test pods and try every path",
    afterwards: () => ({ on: "node", pod: caller }),
  },
  probed: probedStages,
  cniConfig,
  trace: tracePath,
};

if (import.meta.main) await verifyMain(verification);
