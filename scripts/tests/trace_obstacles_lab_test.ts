/** Each thing on the kernel's packet path that ends packets: trace, doctor and stage 09 name it alike. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import { reachOf } from "../../lib/cli/connect.ts";
import type { CauseReport } from "../../lib/diagnosis/cause.ts";
import { examine } from "../../lib/doctor/doctor.ts";
import { cmd } from "../../lib/exec/command.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { type LabObstacle, labObstacles } from "./trace_obstacles_testing.ts";
import { traceHere } from "./trace_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  runAll,
  verified,
} from "./verify_testing.ts";

const options = { timeout_ms: 20_000 };

const traced = (
  cluster: Cluster,
  { from = "worker-1/shell" }: Partial<LabObstacle>,
) => traceHere(cluster, from, "worker-2/web");

async function troubles(cluster: Cluster) {
  const names = cluster.nodes.map(({ name }) => name);
  const { nodes } = await examine(cluster, reachOf(cluster), names, options);
  return nodes.flatMap((node) => node.is === "examined" ? node.checks : [])
    .flatMap(({ findings }) => findings)
    .filter(({ is }) => is === "fault" || is === "warning" || is === "unknown");
}

/** Requires that one of the causes says so, with its evidence. */
function assertNamed(
  by: string,
  found: readonly Pick<CauseReport, "what" | "evidence">[],
  { says, shows }: LabObstacle,
): void {
  const all = `${by}: ${JSON.stringify(found, undefined, 1)}`;
  const one = found.find(({ what }) => what.includes(says));
  assert(one !== undefined, `${says}\n${all}`);
  const printed = one.evidence.map(({ command, printed }) =>
    `${command}\n${printed}`
  ).join("\n");
  assertStringIncludes(printed, shows, all);
}

async function meet(
  obstacle: LabObstacle,
  veths: string,
  lab: TestLab,
  cluster: Cluster,
): Promise<void> {
  const { on, make, says, is } = obstacle;
  await lab.on(on, cmd`sh -c ${`${veths} ${make}`}`);
  const [report, found] = await Promise.all([
    traced(cluster, obstacle),
    troubles(cluster),
  ]);
  const matrix = await verified(cluster);
  const { cause } = report;
  assert(cause !== undefined, JSON.stringify(report));
  assertNamed("trace", [cause], obstacle);
  assertNamed("09", matrix.report.causes, obstacle);
  const told = found.filter((one) => "mend" in one);
  assertNamed("doctor", told, obstacle);
  for (const one of told.filter(({ what }) => what.includes(says))) {
    assert(one.is === is, JSON.stringify(one));
    for (const line of one.mend) await follow(lab, line);
  }
  const after = await troubles(cluster);
  assert(after.length === 0, JSON.stringify(after));
}

async function vethsOf(lab: TestLab, node: string): Promise<string> {
  const names = await Promise.all(["web", "shell"].map(async (pod) => {
    const result: { interfaces: { name: string }[] } = JSON.parse(
      await lab.on(node, cmd`cat /run/deno-cni-pods/${pod}.json`),
    );
    return result.interfaces.find(({ name }) => name.startsWith("veth"))?.name;
  }));
  return `web=${names[0]}; shell=${names[1]};`;
}

Deno.test({
  ...needsRoot,
  name:
    "what ends packets on the kernel's path is named alike by trace, doctor and stage 09, and gone when mended as advised (needs root)",
  async fn(t) {
    await using lab = await testLab("trace-obstacles");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    const veths = await vethsOf(lab, "worker-2");
    for (const obstacle of labObstacles) {
      const well = await t.step(
        obstacle.name,
        () => meet(obstacle, veths, lab, cluster),
      );
      if (!well) return; // What was not mended would be seen by all others.
    }
    const report = await traced(cluster, {});
    assert(report.cause === undefined, JSON.stringify(report.cause));
    const { report: matrix, text } = await verified(cluster);
    assert(matrix.passed, text);
  },
});
