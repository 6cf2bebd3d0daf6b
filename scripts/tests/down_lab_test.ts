// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/names.ts";
import { findHolders } from "../../lib/lab/processes.ts";
import { testLab } from "./lab_testing.ts";
import { run } from "../../lib/exec/run.ts";

const rooted = { ignore: Deno.uid() !== 0 };

Deno.test(
  "down: takes the lab and what is known of it, and says so; again is no error (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("down-one");
    await lab.script("01-provision");
    const first = await lab.script("down");
    assertEquals(
      first.stdout,
      'The lab "down-one" is gone: 4 processes ended\n',
    );
    assertEquals(findHolders(labId(lab.cluster)).size, 0);
    const second = await lab.script("down", "-o", "json");
    assertEquals(JSON.parse(second.stdout), {
      version: 1,
      cluster: "down-one",
      ended: 0,
    });
    const state = await run(cmd`ls ${lab.cluster.stateDir}`);
    assertStringIncludes(state.stderr, "No such file");
  },
);

Deno.test(
  "down: a dry run prints what a shell can do instead (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("down-two");
    await lab.script("01-provision");
    const { stdout } = await lab.script("down", "--dry-run");
    assertEquals(findHolders(labId(lab.cluster)).size, 4);
    assertEquals((await run(cmd`sh -eu -c ${stdout}`)).code, 0);
    assertEquals(findHolders(labId(lab.cluster)).size, 0);
  },
);

Deno.test(
  "down: ruins without state, and with state that nobody can read, go too (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("down-three");
    for (const spoil of ["rm -rf", "echo garbled | tee"]) {
      await lab.script("01-provision");
      for (const [name, { pid }] of findHolders(labId(lab.cluster))) {
        if (name !== "worker-2") Deno.kill(pid, "SIGKILL");
      }
      const { stateDir } = lab.cluster;
      await run(cmd`sh -c ${`${spoil} ${stateDir}/*`}`);
      const { code, stdout } = await lab.script("down");
      assertEquals([code, stdout], [
        0,
        'The lab "down-three" is gone: 1 process ended\n',
      ]);
    }
  },
);

Deno.test(
  "down: a run under way is not disturbed (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("down-four");
    await lab.script("01-provision");
    const { stateDir } = lab.cluster;
    using lock = await Deno.open(`${stateDir}/lock`, { write: true });
    await lock.lock(true);
    const busy = await lab.script("down");
    assertEquals(busy.code, 1);
    assertStringIncludes(busy.stderr, "another run is at work");
    assertEquals(findHolders(labId(lab.cluster)).size, 4);
  },
);

Deno.test("down: one node alone is wrong usage, with the command for it", async () => {
  await using lab = await testLab("down-five");
  const one = await lab.script("down", "--node", "worker-1");
  assertEquals(one.code, 2);
  assertStringIncludes(one.stderr, "--undo --node NAME");
});

Deno.test(
  "down: a lab whose cluster file has other addresses since goes all the same; a stage says what no longer fits (needs root)",
  rooted,
  async () => {
    await using lab = await testLab("down-changed");
    await lab.script("01-provision");
    await lab.script("02-kubeadm");
    const text = await Deno.readTextFile(lab.file);
    await Deno.writeTextFile(
      lab.file,
      text.replace("clusterCIDR: 10.244.0.0/16", "clusterCIDR: 10.99.0.0/16"),
    );
    const stage = await lab.script("04-bridge");
    assertEquals(stage.code, 2);
    assertStringIncludes(stage.stderr, "pod-cidrs.json");
    assertStringIncludes(stage.stderr, "make down");
    const down = await lab.script("down");
    assertEquals(down.code, 0, down.stderr);
    assertEquals(findHolders(labId(lab.cluster)).size, 0);
  },
);
