// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd, show } from "../exec/command.ts";
import { labNode } from "./node.ts";

const cluster = labCluster({ name: "lab", stateDir: "/home/u/.state/lab" });
const here = import.meta.dirname ?? "";

Deno.test("a lab node's enter() is a line that needs no running node", () => {
  const node = labNode(cluster, "worker-1");
  assertEquals(
    show(node.enter(cmd`ip addr`)).replace(here, "lib/lab"),
    "sh lib/lab/machine.sh enter lab-6ad5b71d worker-1 ip addr",
  );
});

Deno.test("a lab node's showCopy() quotes for a POSIX shell", () => {
  const node = labNode(cluster, "worker-1");
  assertEquals(
    node.showCopy("/a b/deno", "/opt/x", "755").replaceAll(here, "lib/lab"),
    "sh lib/lab/copy.sh '/a b/deno' /opt/x 755 " +
      "sh lib/lab/machine.sh enter lab-6ad5b71d worker-1",
  );
});
