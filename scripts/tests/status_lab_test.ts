/** Status on a lab, from before it is there to after a node is gone. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../../lib/exec/command.ts";
import type { StatusReport } from "../../lib/status/status.ts";
import type { StageState } from "../../lib/status/stage_state.ts";
import { killNode, type TestLab, testLab } from "./lab_testing.ts";
import { follow, needsRoot, runAll } from "./verify_testing.ts";

async function statusOf(lab: TestLab): Promise<StatusReport> {
  const { code, stdout, stderr } = await lab.script("status", "-o", "json");
  assert(code === 0 || code === 4, stderr);
  const report: StatusReport = JSON.parse(stdout);
  assertEquals(report.version, 1);
  return report;
}

/** The states of a stage, by machine. */
function states(
  { stages }: StatusReport,
  stage: string,
): Record<string, StageState> {
  const found = stages.find(({ name }) => name === stage);
  assert(found !== undefined);
  return Object.fromEntries(found.on.map(({ where, is }) => [where, is]));
}

/** Whether a stage stands like this everywhere. */
function everywhere(report: StatusReport, stage: string): StageState[] {
  return [...new Set(Object.values(states(report, stage)))];
}

function screen({ code, stdout, stderr }: Outcome, wanted = 0): string {
  assertEquals(code, wanted, stderr + stdout);
  for (const line of stdout.split("\n")) {
    // A command to paste stays in one line.
    assert(line.length < 80 || /--cluster |CLUSTER=|^ *\$ /.test(line), line);
  }
  return stdout;
}

Deno.test({
  name:
    "status tells how each stage stands, by the nodes and not by memory (needs root)",
  ...needsRoot,
  async fn(t) {
    await using lab = await testLab("status");
    const status = async (...args: string[]) =>
      screen(await lab.script("status", ...args));

    await t.step("before there is a lab", async () => {
      assertStringIncludes(await status(), 'No lab "status": make up');
    });

    await t.step("in the middle of the stages", async () => {
      await runAll(lab, ["01-provision"]);
      assertStringIncludes(await status(), "Next: make 02-kubeadm");
      for (const stage of ["02-kubeadm", "03-cni-config"]) {
        await runAll(lab, [stage]);
      }
      await runAll(lab, ["04-bridge", "--node", "worker-1"]);
      const report = await statusOf(lab);
      assertEquals(everywhere(report, "03-cni-config"), ["applied"]);
      assertEquals(states(report, "04-bridge"), {
        "master": "not",
        "worker-1": "applied",
        "worker-2": "not",
      });
      // Some of its settings are as it wants them on a new machine.
      assertEquals(everywhere(report, "06-forwarding"), ["not"]);
    });

    await t.step("when all stages are applied", async () => {
      await runAll(lab, ["up", "-q"]);
      const report = await statusOf(lab);
      for (const { name } of report.stages) {
        assertEquals(everywhere(report, name), ["applied"], name);
      }
      assertEquals(
        report.nodes.map(({ has }) => has?.leases.map(({ held }) => held)),
        [[0], [2], [2]],
      );
      const text = await status();
      assertStringIncludes(text, "All stages are applied");
      assertStringIncludes(text, "worker-1/shell 10.244.1.");
    });

    await t.step("drift is seen, also where the journal is lost", async () => {
      await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
      await lab.on("worker-2", cmd`rm /var/lib/deno-cni/journal`);
      await lab.on("worker-2", cmd`iptables -w -F FORWARD`);
      const report = await statusOf(lab);
      assertEquals(states(report, "08-routes"), {
        "master": "applied",
        "worker-1": "drifted",
        "worker-2": "applied",
      });
      assertEquals(states(report, "06-forwarding")["worker-2"], "not");
      assertStringIncludes(
        await status("-v"),
        "$ ip route replace 10.244.2.0/24 via 10.0.1.12 proto 244",
      );
      const planned = await lab.script(
        ...["08-routes", "--dry-run", "--node", "worker-1"] as const,
      );
      assertStringIncludes(planned.stdout, "ip route replace 10.244.2.0/24");
      await runAll(lab, ["up", "-q"]);
      assertStringIncludes(await status(), "All stages are applied");
    });

    await t.step("what is in a stage's way is told", async () => {
      await lab.on("master", cmd`ip link set cni0 alias other`);
      assertEquals(
        states(await statusOf(lab), "04-bridge")["master"],
        "drifted",
      );
      assertStringIncludes(await status(), "refused: cni0 is a bridge that");
      await lab.on("master", cmd`ip link set cni0 alias deno-cni`);
    });

    await t.step(
      "a damaged journal is told, and the rest as ever",
      async () => {
        const at = "/var/lib/deno-cni/journal";
        await lab.on("worker-2", cmd`cp ${at} ${at}.kept`);
        await lab.on("worker-2", cmd`sh -c ${`echo nonsense >${at}`}`);
        const report = await statusOf(lab);
        assertEquals(states(report, "04-bridge"), {
          "master": "applied",
          "worker-1": "applied",
          "worker-2": "unknown",
        });
        const [, , { has } = {}] = report.nodes;
        assertEquals(has?.pods.length, 2);
        assertStringIncludes(
          (await status()).replaceAll(/\s+/g, " "),
          "Nobody can say: 03-cni-config and 5 more on worker-2: " +
            `worker-2:${at} is no journal of this tool's`,
        );
        await lab.on("worker-2", cmd`mv ${at}.kept ${at}`);
        assertStringIncludes(await status(), "All stages are applied");
      },
    );

    await t.step("a stale lease is told, and released as told", async () => {
      const path = "/run/deno-cni/networks/deno-cni/10.244.1.99";
      const lease = `printf 'gone\\r\\neth0' >${path}`;
      await lab.on("worker-1", cmd`sh -c ${lease}`);
      const text = await status();
      assertStringIncludes(text, "worker-1: 10.244.1.99, of gone eth0");
      const [line = ""] = /make shell .*flock.*$/m.exec(text) ?? [];
      await follow(lab, line);
      assert(!(await status()).includes("Stale leases"));
    });

    await t.step("a node that is gone is told, and exit code 4", async () => {
      await killNode(lab, "worker-2");
      const text = screen(await lab.script("status"), 4);
      assertStringIncludes(text, "worker-2 is unreachable: not running");
      const report = await statusOf(lab);
      assertEquals(states(report, "01-provision")["worker-2"], "drifted");
      assertEquals(states(report, "04-bridge")["worker-2"], "unknown");
    });
  },
});
