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
  [from, to]: readonly [string, string],
) => traceHere(cluster, from, to);

async function troubles(cluster: Cluster) {
  const names = cluster.nodes.map(({ name }) => name);
  const { nodes } = await examine(cluster, reachOf(cluster), names, options);
  return nodes.flatMap((node) => node.is === "examined" ? node.checks : [])
    .flatMap(({ findings }) => findings)
    .flatMap((one) => "mend" in one || one.is === "unknown" ? [one] : []);
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

async function make(
  lab: TestLab,
  veths: ReadonlyMap<string, string>,
  obstacles: readonly LabObstacle[],
  line: (obstacle: LabObstacle) => string | undefined = ({ make }) => make,
): Promise<void> {
  for (const [node, own] of Map.groupBy(obstacles, ({ on }) => on)) {
    const lines = own.flatMap((one) => line(one) ?? []);
    const script = [veths.get(node), ...lines].join("\n");
    await lab.on(node, cmd`sh -euc ${script}`);
  }
}

/** Follows the lines of each node in their order, and the nodes' side by side. */
async function followAll(
  lab: TestLab,
  lines: readonly string[],
): Promise<void> {
  const byNode = Map.groupBy(lines, (line) => /NODE=(\S+)/.exec(line)?.[1]);
  await Promise.all([...byNode.values()].map(async (own) => {
    for (const line of own) await follow(lab, line);
  }));
}

/** Runs what a line of advice runs; one that was pasted before, without a `make` for it. */
async function again(
  lab: TestLab,
  line: string,
  pasted: ReadonlySet<string>,
): Promise<void> {
  const [, node, script] = /NODE=(\S+) ARGS="-- ([^"$\\]*)"$/.exec(line) ?? [];
  if (!pasted.has(line) || node === undefined || script === undefined) {
    return await follow(lab, line);
  }
  await lab.on(node, cmd`sh -euc ${script}`);
}

/** A line for a shell that knows the host veths of a node's pods. */
async function vethsOf(lab: TestLab, node: string): Promise<string> {
  type Result = {
    interfaces: { name: string; mac: string }[];
    ips: { address: string }[];
  };
  const [web, shell] = await Promise.all(["web", "shell"].map(async (pod) => {
    const text = await lab.on(node, cmd`cat /run/deno-cni-pods/${pod}.json`);
    const { interfaces, ips }: Result = JSON.parse(text);
    const [address] = ips[0]?.address.split("/") ?? [];
    const veth = interfaces.find(({ name }) => name.startsWith("veth"))?.name;
    const mac = interfaces.find(({ name }) => name === "eth0")?.mac;
    return { veth, mac, address };
  }));
  return `web=${web?.veth}; shell=${shell?.veth}; mac=${web?.mac}; address=${web?.address};`;
}

Deno.test({
  ...needsRoot,
  name:
    "what ends packets on the kernel's path is named alike by doctor, trace and stage 09, and gone when mended as advised (needs root)",
  async fn(t) {
    await using lab = await testLab("trace-obstacles");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    const veths = new Map(
      await Promise.all(
        ["worker-1", "worker-2"].map(async (node) =>
          [node, await vethsOf(lab, node)] as const
        ),
      ),
    );
    await make(lab, veths, labObstacles);
    const found = await troubles(cluster);
    for (const obstacle of labObstacles) {
      await t.step(`doctor: ${obstacle.name}`, () => {
        assertNamed("doctor", found, obstacle);
        const one = found.find(({ what }) => what.includes(obstacle.says));
        assert(one?.is === obstacle.is, JSON.stringify(one));
      });
    }
    const advice = new Set(
      found.flatMap((one) =>
        "mend" in one ? one.mend.filter((line) => line.startsWith("make ")) : []
      ),
    );
    await followAll(lab, [...advice]);
    await make(lab, veths, labObstacles, ({ after }) => after);
    const after = await troubles(cluster);
    assert(after.length === 0, JSON.stringify(after, undefined, 1));
    for (const obstacle of labObstacles) {
      const { traced: ends } = obstacle;
      if (ends === undefined) continue;
      await t.step(`trace: ${obstacle.name}`, async () => {
        await make(lab, veths, [obstacle]);
        const { cause } = await traced(cluster, ends);
        assert(cause !== undefined);
        assertNamed("trace", [cause], obstacle);
        assert(cause.on === obstacle.on, JSON.stringify(cause));
        for (const line of cause.mend) await again(lab, line, advice);
      });
    }
    const [first] = labObstacles.filter(({ traced }) => traced !== undefined);
    assert(first !== undefined);
    await make(lab, veths, [first]);
    const { report } = await verified(cluster);
    assertNamed("09", report.causes, first);
    assert(report.causes.length === 1, JSON.stringify(report.causes));
  },
});
