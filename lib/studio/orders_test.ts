/** What the page may have run. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { readOrder, readTrace } from "./orders.ts";
import { RefusedError } from "./server.ts";

const cluster = {
  ...labCluster({ name: "lab", stateDir: "/nowhere" }),
  file: "config/lab.yaml",
};

Deno.test("a button runs the very script of the command line, whose line is its title", () => {
  const order = { stage: "04-bridge", how: "undo", node: "worker-1" };
  assertEquals(readOrder(order, cluster), {
    title: 'make 04-bridge ARGS="--node worker-1 --undo"',
    script: "04-bridge",
    args: ["--node", "worker-1", "--undo"],
  });
  const step = new URLSearchParams({ stage: "08-routes", how: "step" });
  assertEquals(readOrder(step, cluster).args, ["--step"]);
  assertEquals(readOrder({ stage: "up" }, cluster).args, []);
  const trace = readTrace({ from: "worker-1/shell", to: "fd00::1" }, cluster);
  assertEquals(trace.title, "make trace FROM=worker-1/shell TO=fd00::1");
  const six = { from: "worker-1/shell", to: "outside", family: "6" };
  assertEquals(readTrace(six, cluster).args.slice(4, 6), ["--family", "6"]);
});

Deno.test("what is no stage, no way, no node, or would be a flag is refused", () => {
  const wrong = [
    undefined,
    null,
    "04-bridge",
    {},
    { stage: "04-bridge", how: "constructor" },
    { stage: "04-bridge", how: ["run"], node: "--undo" },
    { stage: "../../evil" },
    { stage: "04-bridge", node: "worker-9" },
    { stage: "down", how: "undo" },
    { stage: "up", node: "worker-1" },
    { stage: "__proto__" },
  ];
  for (const order of wrong) {
    assertThrows(() => readOrder(order, cluster), RefusedError);
  }
  for (const to of ["", "-o", "--from=x", " x", 5]) {
    const ends = { from: "worker-1", to };
    assertThrows(() => readTrace(ends, cluster), RefusedError);
  }
  const odd = { from: "worker-1", to: "worker-2", family: "5" };
  assertThrows(() => readTrace(odd, cluster), RefusedError);
});
