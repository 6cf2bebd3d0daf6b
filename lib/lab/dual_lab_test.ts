// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { dualCluster } from "../cluster_testing.ts";
import { cmd } from "../command.ts";
import { labNode, outsideNode } from "../lab.ts";
import { make, on, rooted, withCluster } from "../lab_testing.ts";

rooted(
  "a lab of both families has its addresses at once, in both",
  () =>
    withCluster(async ({ name, stateDir }) => {
      const cluster = dualCluster({ name, stateDir });
      await make(cluster);
      const worker = labNode(cluster, "worker-1");
      const addresses = await on(worker, "ip -br -6 addr show dev eth0");
      assertStringIncludes(addresses, "fd00:10:0:1::11/64");
      for (
        const to of [
          "10.0.1.10",
          "203.0.113.8",
          "fd00:10:0:1::10",
          "fd00:10:0:1::1",
          "2001:db8::8",
        ]
      ) await on(worker, `ping -c1 -W2 ${to}`);
      const key = "net.ipv6.conf.all.forwarding";
      assertEquals(await on(worker, `sysctl -n ${key}`), "0");
      assertEquals(await on(worker, "ip6tables -S FORWARD"), "-P FORWARD DROP");
      const outside = outsideNode(cluster);
      assertEquals(await on(outside, `sysctl -n ${key}`), "1");
      const toPod = await outside.run(cmd`ip route get fd00:10:244:1::2`);
      assertStringIncludes(toPod.stderr, "unreachable");
    }),
);
