/** What is printed to be pasted, pasted; more pods; and --undo of nothing: on one lab. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { folder } from "../../lib/verify/namespace_pods.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";
import { lookLine } from "../../lib/stage/make_command.ts";
import { stages } from "../stages.ts";
import { killNode, testLab } from "./lab_testing.ts";
import { needsRoot } from "./verify_testing.ts";

Deno.test({
  ...needsRoot,
  name:
    "what is to be looked at after a stage can be pasted, podsPerNode and make pod start pods, and --undo of nothing is no error (needs root)",
  async fn() {
    await using lab = await testLab(
      "t-advice",
      (text) =>
        text.replace("# podsPerNode: 2", "podsPerNode: 3")
          .replace("bridge: cni0", "bridge: br-pods"),
    );
    for (const name of ["up", "09-verify"]) {
      const { code, stderr } = await lab.script(name, "--undo");
      assertEquals(code, 0, `${name} --undo of nothing: ${stderr}`);
    }
    const up = await lab.script("up");
    assertEquals(up.code, 0, up.stderr);
    const names = (await lab.on("worker-2", cmd`ls /run/netns`)).trim();
    assertEquals(names.split("\n"), ["pod-3", "shell", "web"]);

    // As after a pasted dry run: what is there counts, whoever wrote it down.
    for (const { name } of lab.cluster.nodes) {
      await lab.on(name, cmd`rm /var/lib/deno-cni/journal`);
    }
    const [verify, doctor, told] = [
      await lab.script("09-verify"),
      await lab.script("doctor"),
      await lab.script("status"),
    ];
    assertStringIncludes(verify.stdout, "All 18 paths are as expected");
    assertStringIncludes(doctor.stdout, "All well on 3 nodes");
    assert(!doctor.stdout.includes("not yet"), doctor.stdout);
    assertStringIncludes(told.stdout, "All stages are applied");

    const { MAKEFLAGS: _, MAKELEVEL: __, ...env } = lab.env;
    const paste = (shell: string, line: string) =>
      run(cmd`${shell} -c ${line}`, { cwd: projectRoot, env });
    const expected: Readonly<Record<string, string>> = {
      "02-kubeadm": '"worker-2"',
      "04-bridge": "10.244.1.1/24",
      "05-plugin": "supportedVersions",
      "07-masquerade": "MASQUERADE",
    };
    for (const [at, { name, afterwards }] of stages.entries()) {
      const look = afterwards(lab.cluster);
      const shows = expected[name];
      if (look === undefined || shows === undefined) continue;
      const line = lookLine(look, "worker-1", lab.cluster);
      const pasted = await paste(at % 2 === 0 ? "bash" : "dash", line);
      assertStringIncludes(pasted.stdout, shows, `${line}\n${pasted.stderr}`);
    }

    assertStringIncludes(
      await lab.on("worker-1", cmd`/opt/cni/bin/deno-cni --version`),
      "CNI 0.1.0 to 1.1.0",
    );

    const one = ["--node", "worker-1", "--name", "db"];
    const db = await lab.script("pod", ...one);
    assertEquals(db.code, 0, db.stderr);
    const [, address = ""] = /^worker-1\/db: (\S+)/.exec(db.stdout) ?? [];
    const [, ...lines] = db.stdout.split("\n").filter((line) =>
      line.startsWith("  make ") || line.startsWith("Look")
    );
    assertEquals(lines.length, 2, db.stdout);
    for (const line of lines) {
      const { code, stdout, stderr } = await paste("dash", line.trim());
      assertEquals(code, 0, `${line}: ${stdout}${stderr}`);
    }
    assertEquals((await lab.script("pod", ...one)).code, 2);

    // A pod that cannot start leaves nothing, though its DEL cannot run either.
    const [plugin, away] = ["/opt/cni/bin/deno-cni", "/opt/cni/bin/away"];
    await lab.on("worker-1", cmd`mv ${plugin} ${away}`);
    const late = await lab.script("pod", "--node", "worker-1", "--name=late");
    await lab.on("worker-1", cmd`mv ${away} ${plugin}`);
    assertEquals(late.code, 1, late.stdout);
    const trace = await lab.on("worker-1", cmd`find /run/netns ${folder}`);
    assert(!trace.includes("late"), trace);

    const status = await lab.script("status");
    assertStringIncludes(status.stdout, `worker-1/db ${address}`);
    assertEquals((await lab.script("pod", ...one, "--undo")).code, 0);
    assertEquals((await lab.script("pod", ...one, "--undo")).code, 0);
    const { stdout } = await lab.script("status");
    assert(!stdout.includes(`${address},`), stdout);
    assertStringIncludes(stdout, "3 of 253");
    const undone = await lab.script("09-verify", "--undo");
    assertEquals(undone.code, 0, undone.stderr);
    const left = await lab.on(
      "worker-2",
      cmd`find /run/netns`,
    );
    assert(!left.includes("pod-3"), left);

    // A node that is gone costs its own pods, and none of the others'.
    await killNode(lab, "worker-2");
    const lacking = await lab.script("09-verify");
    assertEquals(lacking.code, 4, lacking.stderr);
    assertStringIncludes(lacking.stdout, "worker-2 cannot be reached");
    assert(!lacking.stderr.includes("worker-2"), lacking.stderr);
    const others = await lab.on("worker-1", cmd`ls /run/netns`);
    assertEquals(others.trim().split("\n"), ["pod-3", "shell", "web"]);

    const ended = await lab.script("09-verify", "--undo");
    assertEquals(ended.code, 0, ended.stderr);
    assertEquals(await lab.on("worker-1", cmd`ls /run/netns`), "");
  },
});
