/** What tells the machines of a large lab of each other, on a small one. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { type Command, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { labNode } from "./node.ts";
import { labSteps } from "./steps.ts";
import { ask, make, on, rooted, withCluster } from "./lab_testing.ts";

rooted(
  "machines that run are told who is on their segment, also those that are still to be made",
  () =>
    withCluster(async (cluster) => {
      await make(cluster);
      const more = Array.from({ length: 14 }, (_, at) => ({
        ...cluster.nodes[0]!,
        name: `node-${at}`,
        address: `10.0.1.${100 + at}`,
        addresses: [`10.0.1.${100 + at}`],
      }));
      const nodes = [...cluster.nodes, ...more];
      const step = labSteps({ ...cluster, nodes }).at(-1);
      assert(step);
      const worker = labNode(cluster, "worker-1");
      // What was learned in another way becomes what stays.
      await on(worker, "ping -c 1 -W 5 10.0.1.12");
      assertEquals(await ask(step), "absent");
      assert(succeeded(await run(step.run as Command)));
      assertEquals(await ask(step), "present");
      const known = "ip neigh show dev eth0 nud all | grep -c extern_learn";
      assertEquals(await on(worker, known), "17");
      await on(worker, "ip neigh del 10.0.1.100 dev eth0");
      assertEquals(await ask(step), "absent");
      assert(succeeded(await run(step.run as Command)));
      assertEquals(await ask(step), "present");
    }),
);
