// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { makeLine } from "./make_line.ts";

Deno.test("a line names the cluster's file where make does not take it by itself", () => {
  assertEquals(makeLine("up", { file: "config/lab.yaml" }), "make up");
  assertEquals(
    makeLine("04-bridge", { file: "config/ssh.yaml" }, {
      ARGS: ["--node", "worker-1"],
    }),
    'make 04-bridge CLUSTER=config/ssh.yaml ARGS="--node worker-1"',
  );
});
