/** The stages as commands, on the nodes of a real lab. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, withInput } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import {
  done,
  nodeStages,
  provisioned,
  stateOf,
  statuses,
} from "./stages_testing.ts";
import { run } from "../../lib/exec/run.ts";

rooted(
  "every stage changes a new node, changes nothing a second time, and is taken back without a trace",
  async () => {
    await using lab = await provisioned("t-stages");
    const before = await stateOf(lab, "worker-1");
    for (const stage of nodeStages) {
      const untouched = await stateOf(lab, "worker-1");
      const planned = await lab.script(stage, "--dry-run");
      done(planned);
      assertEquals(await stateOf(lab, "worker-1"), untouched, stage);
      const first = await lab.report(stage);
      const changes = statuses(first, "worker-1").filter((s) =>
        s === "changed"
      );
      assert(changes.length > 0, `${stage} changed nothing`);
      const second = await lab.report(stage);
      for (const counts of Object.values(second.recap)) {
        assertEquals([counts.changed, counts.failed], [0, 0], stage);
      }
    }
    const journal = await lab.on(
      "worker-1",
      cmd`cat /var/lib/deno-cni/journal`,
    );
    assertEquals(JSON.parse(journal).complete, [
      "01-provision",
      "02-kubeadm",
      ...nodeStages,
    ]);
    for (const stage of nodeStages.toReversed()) {
      done(await lab.script(stage, "--undo"));
      const again = await lab.report(stage, "--undo");
      assertEquals(statuses(again), []);
    }
    assertEquals(await stateOf(lab, "worker-1"), before);
  },
);

rooted(
  "what a dry run prints does, pasted into a shell, what the stage does",
  async () => {
    await using lab = await provisioned("t-paste");
    for (const stage of nodeStages) {
      const { stdout } = await lab.script(stage, "--dry-run");
      done(await run(withInput(cmd`sh -eu`, stdout), { env: lab.env }));
      const recap = (await lab.report(stage)).recap;
      for (const node of ["master", "worker-1", "worker-2"]) {
        assertEquals(recap[node]?.changed, 0, `${stage} on ${node}: ${stdout}`);
      }
    }
  },
);

rooted(
  "--node touches this node alone, and an unknown one is named with those there are",
  async () => {
    await using lab = await provisioned("t-node");
    const others = await stateOf(lab, "worker-2");
    const report = await lab.report("04-bridge", "--node", "worker-1");
    assertEquals(Object.keys(report.recap), ["worker-1"]);
    assertEquals(await stateOf(lab, "worker-2"), others);
    const wrong = await lab.script("04-bridge", "--node", "worker-9");
    assertEquals(wrong.code, 2);
    assertStringIncludes(
      wrong.stderr,
      "--node worker-9: no such node in",
    );
    assertStringIncludes(wrong.stderr, "master, worker-1, worker-2");
    done(await lab.script("01-provision", "--undo", "--node", "worker-1"));
    const gone = await lab.script("04-bridge");
    assertEquals(gone.code, 4);
    assertStringIncludes(gone.stderr, "worker-1");
    assertStringIncludes(gone.stderr, "make 01-provision");
    await lab.on("worker-2", cmd`ip link show cni0`);
  },
);

rooted(
  "somebody else's cni0 is refused, by address, kind or missing mark, and never touched",
  async () => {
    await using lab = await provisioned("t-foreign");
    await lab.on("master", cmd`ip link add cni0 type bridge`);
    await lab.on("master", cmd`ip link set cni0 alias deno-cni`);
    await lab.on("master", cmd`ip addr add 10.99.0.1/24 dev cni0`);
    await lab.on("worker-1", cmd`ip link add cni0 type bridge`);
    await lab.on("worker-2", cmd`ip link add cni0 type veth peer name x`);
    const before = await Promise.all(
      ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
    );
    const outcome = await lab.script("04-bridge");
    assertEquals(outcome.code, 1);
    for (
      const part of [
        "cni0 has the address 10.99.0.1/24, not 10.244.0.1/24",
        "cni0 is a bridge that this tool did not make",
        "cni0 is a veth, not a bridge",
        "what to do: on worker-2",
      ]
    ) assertStringIncludes(outcome.stderr, part);
    done(await lab.script("04-bridge", "--undo"));
    const after = await Promise.all(
      ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
    );
    assertEquals(after, before);
  },
);

rooted(
  "a stage that was cut off between making the bridge and marking it goes on, and can be taken back",
  async () => {
    await using lab = await provisioned("t-cut");
    const mac =
      (await lab.script("04-bridge", "--dry-run", "--node", "worker-1"))
        .stdout.match(/address (\S+) type/)?.[1] ?? "";
    const record = {
      stage: "04-bridge",
      step: `ip link add cni0 address ${mac} type bridge`,
      state: "running",
      changed: false,
      undo: { argv: ["ip", "link", "del", "cni0"] },
    };
    const journal = JSON.stringify({
      version: 1,
      complete: [],
      records: [record],
    });
    await lab.on(
      "worker-1",
      withInput(
        cmd`sh -c ${"mkdir -p /var/lib/deno-cni; cat >/var/lib/deno-cni/journal"}`,
        journal,
      ),
    );
    await lab.on("worker-1", cmd`ip link add cni0 address ${mac} type bridge`);
    done(await lab.script("04-bridge", "--node", "worker-1"));
    assertStringIncludes(
      await lab.on("worker-1", cmd`ip link show cni0`),
      "alias deno-cni",
    );
    done(await lab.script("04-bridge", "--undo", "--node", "worker-1"));
    const { code } = await lab.node("worker-1").run(cmd`ip link show cni0`);
    assertEquals(code, 1);
  },
);
