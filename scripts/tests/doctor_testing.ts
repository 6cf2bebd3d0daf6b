/** What tests ask of the doctor. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert } from "@std/assert";
import { reachOf } from "../../lib/cli/connect.ts";
import type { FindingReport } from "../../lib/doctor/check.ts";
import { examine } from "../../lib/doctor/doctor.ts";
import type { TestLab } from "./lab_testing.ts";
import { clusterOf } from "./verify_testing.ts";

/** What a check of the doctor finds on worker-1. */
export async function findingsOn(
  lab: TestLab,
  check: string,
  on = "worker-1",
): Promise<readonly FindingReport[]> {
  const cluster = await clusterOf(lab);
  const { nodes } = await examine(cluster, reachOf(cluster), [on], {
    timeout_ms: 20_000,
  });
  const [node] = nodes;
  assert(node?.is === "examined");
  const found = node.checks.find(({ name }) => name === check);
  assert(found !== undefined, `no check ${check}`);
  return found.findings;
}
