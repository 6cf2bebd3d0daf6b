// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { pageOf, readServerLog } from "./node_server.ts";

Deno.test("a server's log tells, for each page and family, which address asked last", () => {
  const log = [
    "10.0.1.11:59710: url:/worker-1.pod",
    "10.0.1.11:59710: response:200",
    "10.0.1.99:59712: url:/worker-1.pod",
    "[fd00:10:1::11]:42524: url:/worker-1.pod",
    "[::ffff:10.0.1.12]:1: url:/worker-2.node",
    "httpd: bind: Address already in use",
    "10.0.1.66:7: url:/../etc/passwd x",
    "somebody:7: url:/worker-1.pod",
  ].join("\n");
  const found = readServerLog(log);
  assertEquals([...found.keys()], ["worker-1.pod", "worker-2.node"]);
  const page = pageOf({ kind: "pod-to-other-node", from: "worker-1" });
  assertEquals(
    found.get(page),
    new Map([[4, "10.0.1.99"], [6, "fd00:10:1::11"]] as const),
  );
  const own = pageOf({ kind: "node-to-other-pod", from: "worker-2" });
  assertEquals(found.get(own)?.get(4), "10.0.1.12");
});
