/** Links of a real kernel that bear harmful names and aliases: read, shown and removed as advised. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd, succeeded } from "../../lib/exec/command.ts";
import type { DoctorReport } from "../../lib/doctor/doctor.ts";
import { nastyNames } from "../../lib/text/nasty_testing.ts";
import { isPrintable } from "../../lib/text/printable.ts";
import { testLab } from "./lab_testing.ts";
import { follow, needsRoot, runAll } from "./verify_testing.ts";

/** Names that no kernel takes for a link, dev_valid_name(): white space, "/" and ":" are refused. */
const possible = nastyNames.filter((name) => !/[\s/:]/.test(name));

Deno.test({
  ...needsRoot,
  name:
    "links with harmful names and aliases do no harm, and are gone once what is advised was pasted (needs root)",
  async fn(t) {
    await using lab = await testLab("hostile");
    await runAll(lab, ["up"]);
    for (const [at, name] of possible.entries()) {
      const peer = `peer${at}`;
      await lab.on(
        "worker-1",
        cmd`ip link add name ${name} type veth peer name ${peer}`,
      );
      await lab.on("worker-1", cmd`ip link set dev ${name} master cni0`);
      const alias = nastyNames.join(" ");
      await lab.on("worker-1", cmd`ip link set dev ${name} alias ${alias}`);
    }
    await lab.on("worker-1", cmd`ip netns add ${"$(id>ZZ)\x1b[31m"}`);
    const comment = 'two\nlines `id>ZZ` "$(id>ZZ)" \'\x1b[31m';
    await lab.on(
      "worker-1",
      cmd`iptables -w -I FORWARD -s 10.244.1.0/24 -m comment --comment ${comment} -j DROP`,
    );

    const commands = [
      ["status", "-v"],
      ["picture", "--out", "-"],
      ["picture", "--format", "mermaid", "--out", "-"],
      ["trace", "--from", "worker-1/shell", "--to", "worker-2/web"],
      ["doctor", "-v"],
      ["doctor", "-o", "json"],
    ] as const;
    for (const [name, ...args] of commands) {
      await t.step(`make ${name} ${args.join(" ")}`, async () => {
        const { code, stdout, stderr } = await lab.script(name, ...args);
        assert(code === 0 || code === 1, stderr);
        for (const line of `${stdout}${stderr}`.split("\n")) {
          assert(isPrintable(line), JSON.stringify(line));
        }
      });
    }

    await t.step("what the doctor advises removes them", async () => {
      const { stdout } = await lab.script("doctor", "-o", "json");
      const { nodes }: DoctorReport = JSON.parse(stdout);
      const mend = nodes.flatMap((node) =>
        node.is === "unreachable" ? [] : node.checks
      ).filter(({ name }) =>
        name === "leftover-veths" || name === "forward-chain"
      ).flatMap(({ findings }) =>
        findings.flatMap((finding) => "mend" in finding ? finding.mend : [])
      );
      assertEquals(mend.length, possible.length + 1, mend.join("\n"));
      for (const advice of mend) await follow(lab, advice);
      await lab.on("worker-1", cmd`ip netns del ${"$(id>ZZ)\x1b[31m"}`);
      const after = await lab.script("doctor");
      assertEquals(after.code, 0, after.stdout);
      assert(/^All well on 3 nodes/m.test(after.stdout), after.stdout);
    });

    await t.step("no name was executed, here or there", async () => {
      const find = cmd`find /root /run /etc/cni -maxdepth 3 -name ${"ZZ*"}`;
      assertEquals(await lab.on("worker-1", find), "");
      const status = await lab.node("worker-1").run(cmd`ls ZZ`);
      assert(!succeeded(status));
    });
  },
});
