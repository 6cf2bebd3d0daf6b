// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { labId, portName } from "./names.ts";

const cluster = labCluster({ name: "lab", stateDir: "/home/u/.state/lab" });

Deno.test("labId() tells two copies of the project with one cluster name apart", () => {
  const other = { name: "lab", stateDir: "/home/v/.state/lab" };
  assert(labId(cluster) !== labId(other));
  assertEquals(labId(cluster), labId({ ...cluster }));
});

Deno.test("portName() keeps a node's name where a link can have it", () => {
  assertEquals(portName("worker-1"), "worker-1");
  assertEquals(portName("exactly-fifteen"), "exactly-fifteen");
});

Deno.test("portName() gives a short name of its own to a long node name and to one that is taken", () => {
  const names = ["a-node-with-a-long-name-1", "a-node-with-a-long-name-2"];
  const ports = [...names, "segment", "lo", "eth1", "port-eth1"].map(
    portName,
  );
  assertEquals(new Set(ports).size, 6);
  for (const port of ports) assert(/^port-[0-9a-f]{8}$/.test(port), port);
});
