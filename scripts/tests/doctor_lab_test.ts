/** The doctor on a lab: nothing where all is well, and each trap by its name once it is made. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import { cmd } from "../../lib/exec/command.ts";
import { type DoctorReport, examine } from "../../lib/doctor/doctor.ts";
import type { Finding, FindingReport } from "../../lib/doctor/check.ts";
import { reachOf } from "../../lib/cli/connect.ts";
import { type Trap, traps } from "./doctor_traps_testing.ts";
import { killNode, type TestLab, testLab } from "./lab_testing.ts";
import { clusterOf, follow, needsRoot, runAll } from "./verify_testing.ts";

async function look(
  cluster: Cluster,
  names = cluster.nodes.map(({ name }) => name),
): Promise<DoctorReport> {
  return await examine(cluster, reachOf(cluster), names, {
    timeout_ms: 20_000,
  });
}

/** What there is to be told: "worker-1 bridge fault", … */
function told(report: DoctorReport, ...kinds: Finding["is"][]): string[] {
  return report.nodes.flatMap((node) =>
    node.is === "unreachable"
      ? [`${node.node} unreachable`]
      : node.checks.flatMap(({ name, findings }) =>
        findings.filter(({ is }) => kinds.includes(is))
          .map(({ is }) => `${node.node} ${name} ${is}`)
      )
  );
}

const wrong = (report: DoctorReport) =>
  told(report, "fault", "warning", "unknown");

function findingsOf(
  { nodes }: DoctorReport,
  { on, told = on, check }: Trap,
): readonly FindingReport[] {
  const node = nodes.find(({ node }) => node === told);
  assert(node?.is === "examined");
  return node.checks.find(({ name }) => name === check)?.findings ?? [];
}

const early = ["01-provision", "02-kubeadm", "03-cni-config", "04-bridge"];

const later = ["05-plugin", "06-forwarding", "07-masquerade", "08-routes"];

Deno.test({
  name:
    "each trap is named with its evidence, and gone once what mends it was done (needs root)",
  ...needsRoot,
  async fn(t) {
    await using lab = await testLab("doctor");
    for (const stage of early) await runAll(lab, [stage]);
    await t.step("what waits for a stage is no fault", async () => {
      const report = await look(await clusterOf(lab));
      assertEquals(wrong(report), []);
      assert(told(report, "not yet").includes("worker-1 ip-forward not yet"));
      assert(told(report, "not yet").includes("master programs not yet"));
      const { code, stdout } = await lab.script("doctor");
      assertEquals(code, 0, stdout);
      assertStringIncludes(stdout, "until 06-forwarding has run");
      assertStringIncludes(stdout, "All well on 3 nodes, as far as the stages");
      const refused = await lab.script("doctor", "--undo");
      assertEquals(refused.code, 2);
      assertStringIncludes(refused.stderr, "the doctor changes nothing");
    });
    for (const stage of [...later, "09-verify"]) await runAll(lab, [stage]);
    const cluster = await clusterOf(lab);
    await t.step("all is well once all stages have run", async () => {
      const report = await look(cluster);
      assertEquals(told(report, "fault", "warning", "unknown", "not yet"), []);
    });
    for (const trap of traps) {
      await t.step(trap.name, () => fallInto(trap, lab, cluster));
    }
    await t.step(
      "a fault is exit code 1, and read by programs",
      () => asPrograms(lab),
    );
    await t.step("a node that is gone is exit code 4", async () => {
      await killNode(lab, "worker-2");
      const { code, stdout } = await lab.script("doctor");
      assertEquals(code, 4, stdout);
      assertStringIncludes(stdout, "unreachable  not running");
    });
  },
});

async function fallInto(
  trap: Trap,
  lab: TestLab,
  cluster: Cluster,
): Promise<void> {
  const { on, told = on, is, says, shows, byHand, after } = trap;
  await lab.on(on, cmd`sh -c ${trap.make}`);
  const found = findingsOf(await look(cluster, [told]), trap)
    .find(({ what }) => what.includes(says));
  assert(found !== undefined, `not found: ${says}`);
  assertEquals(found.is, is);
  assert(found.is === "fault" || found.is === "warning");
  const printed = found.evidence.map(({ printed }) => printed).join("\n");
  assertStringIncludes(printed, shows);
  for (const { command } of found.evidence) assert(command !== "");
  assert(found.mend.length > 0);
  if (byHand !== undefined) await lab.on(on, cmd`sh -c ${byHand}`);
  else for (const advice of found.mend) await follow(lab, advice);
  const mended = await look(cluster, after === undefined ? undefined : [told]);
  assertEquals(findingsOf(mended, trap), []);
  if (after === undefined) return assertEquals(wrong(mended), []);
  await lab.on(on, cmd`sh -c ${after}`);
  assertEquals(wrong(await look(cluster)), []);
}

async function asPrograms(lab: TestLab): Promise<void> {
  await lab.on("worker-1", cmd`sysctl -qw net.ipv4.ip_forward=0`);
  const { code, stdout } = await lab.script(
    ...["doctor", "--node", "worker-1", "-o", "json"] as const,
  );
  assertEquals(code, 1);
  const report: DoctorReport = JSON.parse(stdout);
  assertEquals(report.version, 1);
  assertEquals(wrong(report), ["worker-1 ip-forward fault"]);
  const text = await lab.script("doctor");
  assertEquals(text.code, 1);
  assertStringIncludes(text.stdout, "  fault  ip-forward: ");
  assertStringIncludes(text.stdout, "worker-1$ sysctl -n net.ipv4.ip_forward");
  for (const line of text.stdout.split("\n")) {
    assert(line.length < 80 || line.includes("mend: "), line);
  }
  await runAll(lab, ["06-forwarding", "--node", "worker-1"]);
}

const dual = async (text: string) => {
  const file = new URL("../../config/lab-dual.yaml", import.meta.url);
  return (await Deno.readTextFile(file)).replace(
    /^name: .*$/m,
    /^name: .*$/m.exec(text)?.[0] ?? "",
  );
};

Deno.test({
  name: "two families and real containers are no trap (needs root)",
  ...needsRoot,
  async fn(t) {
    const lab = (await Deno.readTextFile(
      new URL("../../config/lab.yaml", import.meta.url),
    )).replace("name: lab\n", "name: doctor-dual\n");
    const text = await dual(lab);
    await t.step("two families", async () => {
      await using lab = await testLab("doctor-dual", () => text);
      await runAll(lab, ["up", "-q"]);
      assertEquals(wrong(await look(await clusterOf(lab))), []);
      await lab.on("worker-1", cmd`ip6tables -w -F FORWARD`);
      const report = await look(await clusterOf(lab));
      assertEquals(wrong(report), ["worker-1 forward-chain fault"]);
    });
    await t.step("containers", async () => {
      await using lab = await testLab(
        "doctor-containers",
        (text) => text.replace("# runtime: none", "runtime: containerd"),
      );
      await runAll(lab, ["up", "-q"]);
      assertEquals(wrong(await look(await clusterOf(lab))), []);
    });
  },
});
