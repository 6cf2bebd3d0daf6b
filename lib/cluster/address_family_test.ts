// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { dualCluster, labCluster } from "./cluster_testing.ts";
import { familiesOf, inFamily } from "./address_family.ts";

const names = { name: "lab", stateDir: "/state/lab" };
const dual = dualCluster(names);

Deno.test("one family of a cluster of two is the cluster that has no other, and knows the whole", () => {
  const { file } = dual;
  const expected = { ...labCluster(names), file, whole: dual };
  assertEquals(inFamily(dual, 4), expected);
});

Deno.test("the other family has its own addresses throughout, and none of the first", () => {
  const { whole: _, ...six } = inFamily(dual, 6);
  assertEquals(familiesOf(six), [6]);
  assertEquals(six.nodeMasks, [64]);
  assertEquals(six.segmentCIDR, "fd00:10:0:1::/64");
  assertEquals(six.outside.gateway, "fd00:10:0:1::1");
  assertEquals(six.nodes[1], {
    name: "worker-1",
    role: "worker",
    address: "fd00:10:0:1::11",
    addresses: ["fd00:10:0:1::11"],
    podCIDRs: ["fd00:10:244:1::/64"],
  });
  assertEquals(JSON.stringify(six).match(/10\.\d+\.\d+\.\d+/g), null);
});

Deno.test("a cluster of one family is that family", () => {
  const four = labCluster(names);
  assertEquals(familiesOf(four), [4]);
  assertEquals(inFamily(four, 4), four);
});
