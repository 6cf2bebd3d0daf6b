// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { dualCluster } from "../cluster/cluster_testing.ts";
import { cmd, type Command } from "../exec/command.ts";
import { labNode, labSteps, outsideNode } from "./lab.ts";
import {
  make,
  members,
  must,
  on,
  removerOf,
  rooted,
  stranger,
  withCluster,
} from "./lab_testing.ts";

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

rooted(
  "an unprivileged user's lab has both families, too",
  () =>
    withCluster(async ({ name, stateDir }) => {
      const cluster = dualCluster({ name, stateDir });
      const { as, folder } = await stranger(cluster);
      for (const { run } of labSteps(cluster)) await must(as(run as Command));
      const worker = labNode(cluster, "worker-1");
      const script = `ping -c1 -W2 2001:db8::8 >&2
      ip link add cni0 type bridge; ip link set cni0 up
      ip addr add fd00:10:244:1::1/64 dev cni0 nodad
      ip6tables -w -I FORWARD -s fd00:10:244::/56 -j ACCEPT
      ip6tables -w -I FORWARD -d fd00:10:244::/56 -j ACCEPT
      ip6tables -w -t nat -A POSTROUTING -s fd00:10:244:1::/64 -j MASQUERADE
      sysctl -qw net.ipv6.conf.all.forwarding=1
      ip netns add pod
      ip link add pod0 master cni0 up type veth peer name eth0 netns pod
      nsenter --net=/run/netns/pod sh -euc '
        ip addr add fd00:10:244:1::2/64 dev eth0 nodad; ip link set eth0 up
        ip route add default via fd00:10:244:1::1'
      nsenter --net=/run/netns/pod ping -c1 -W2 2001:db8::8 >&2`;
      await must(as(worker.enter(cmd`sh -euc ${script}`)));
      await must(as({ argv: [`${folder}/deno`, ...removerOf(cluster)] }));
      assertEquals(members(cluster), 0);
    }),
);
