// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { labNode } from "./node.ts";
import { make, on, rooted, withCluster } from "./lab_testing.ts";

rooted(
  "a large file is on the node as the same file, a small one as a copy, each renamed into place",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const folder = await Deno.makeTempDir();
      const [large, small] = [`${folder}/large file`, `${folder}/small`];
      await Deno.writeFile(large, new Uint8Array(2 << 20).fill(1));
      await Deno.writeTextFile(small, "one");
      try {
        await worker.copy(large, "/opt/cni/lib/x/large", "644");
        await worker.copy(small, "/opt/cni/lib/x/small", "755");
        const { ino } = await Deno.stat(large);
        const path = "/opt/cni/lib/x/large";
        assertEquals(await on(worker, `stat -Lc %i ${path}`), `${ino}`);
        // The machine gets a newer file: the node keeps what it was given.
        await Deno.writeFile(`${large}.new`, new Uint8Array(2 << 20).fill(2));
        await Deno.rename(`${large}.new`, large);
        assertEquals(await on(worker, `stat -Lc %i ${path}`), `${ino}`);
        await worker.copy(large, path, "644");
        assertEquals(await on(worker, `od -An -N1 -tu1 ${path}`), "2");
        const write = await worker.run(cmd`sh -c ${`echo x >${path}`}`);
        assertStringIncludes(write.stderr, "Read-only");
        const facts = await on(worker, "stat -c '%a %F' /opt/cni/lib/x/small");
        assertEquals(facts, "755 regular file");
        await Deno.writeTextFile(small, "two");
        assertEquals(await on(worker, "cat /opt/cni/lib/x/small"), "one");
        const left = await on(worker, "ls /opt/cni/lib/x");
        assertEquals(left, "large\nsmall");
        await on(worker, `rm ${path}`);
        // The machine's own Deno takes the same way.
        await worker.copy(Deno.execPath(), "/opt/cni/lib/deno", "755");
        await on(worker, "/opt/cni/lib/deno --version");
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }),
);

rooted(
  "a large file that the node cannot see is copied",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const folder = await Deno.makeTempDir({ dir: "/run" });
      try {
        await Deno.writeFile(`${folder}/large`, new Uint8Array(2 << 20));
        await worker.copy(`${folder}/large`, "/opt/cni/lib/large", "644");
        const facts = await on(worker, "stat -c '%s %F' /opt/cni/lib/large");
        assertEquals(facts, `${2 << 20} regular file`);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }),
);
