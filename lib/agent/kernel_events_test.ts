// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { changesRules, concernsUs } from "./kernel_events.ts";

/** As iproute2 6.1 prints them. */
const ofOurs = `
Deleted 10.244.2.0/24 via 10.0.1.12 dev eth0 proto 244 
10.244.2.0/24 via 10.0.1.1 dev eth0 
Deleted 3: cni0    inet 10.244.1.1/24 scope global cni0\\       valid_lft forever preferred_lft forever
3: cni0: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default \\    link/ether 02:dc:f9:71:50:d8 brd ff:ff:ff:ff:ff:ff
Deleted 3: cni0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop state DOWN group default \\    link/ether 02:dc:f9:71:50:d8 brd ff:ff:ff:ff:ff:ff
2: eth0@if5: <BROADCAST,MULTICAST> mtu 1500 qdisc noqueue state DOWN group default \\    link/ether 02:dc:46:c9:f5:8d brd ff:ff:ff:ff:ff:ff link-netnsid 0
inet all forwarding off 
inet cni0 forwarding off 
10.244.2.0 dev deno.vxlan FAILED 
Deleted 10.244.2.0 dev deno.vxlan lladdr 02:dc:e6:8d:32:fb PERMANENT 
10.244.2.0 dev deno.vxlan lladdr 02:00:00:00:00:01 PERMANENT 
Deleted fd00:10:244:2:: dev deno.vxlan lladdr 02:dc:e6:8d:32:fb PERMANENT 
Deleted 10.0.2.12 dev deno.vxlan lladdr 02:dc:e6:8d:32:fb NOARP PERMANENT 
5: deno.vxlan: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1400 qdisc noqueue state UNKNOWN group default \\    link/ether 02:dc:e7:8d:34:8e brd ff:ff:ff:ff:ff:ff
netlink receive error No buffer space available (105)
`.trim().split("\n");

const ofOthers = `
5: vetho6vz5deh2qy@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master cni0 state UP \\    link/ether e2:61:74:2f:e4:c6
Deleted 5: vetho6vz5deh2qy@eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 master cni0 state UP \\    link/ether e2:61:74:2f:e4:c6
5: vetho6vz5deh2qy    inet6 fe80::e061:74ff:fe2f:e4c6/64 scope link \\       valid_lft forever preferred_lft forever
local fe80::e061:74ff:fe2f:e4c6 dev vetho6vz5deh2qy table local proto kernel metric 0 pref medium
3: cni0    inet6 fe80::dc:f9ff:fe71:50d8/64 scope link \\       valid_lft forever preferred_lft forever
Deleted broadcast 10.244.1.255 dev cni0 table local proto kernel scope link src 10.244.1.1 
multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium
Deleted ff02::16 dev cni0 lladdr 33:33:00:00:00:16 NOARP 
10.0.1.0/24 dev eth0 proto kernel scope link src 10.0.1.12 
Deleted 192.0.2.0/24 via 10.0.1.1 dev eth0 
inet veth0 forwarding off 
inet eth0 forwarding on 
10.0.1.10 dev eth0 lladdr 02:dc:e9:33:d6:2a STALE 
10.244.1.5 dev cni0 lladdr e2:61:74:2f:e4:c6 REACHABLE 
224.0.0.22 dev deno.vxlan lladdr 01:00:5e:00:00:16 NOARP 
5: deno.vxlan    inet6 fe80::dc:e7ff:fe8d:348e/64 scope link \\       valid_lft forever preferred_lft forever
anycast fe80:: dev deno.vxlan table local proto kernel metric 0 pref medium
`.trim().split("\n");

Deno.test("of what ip monitor tells, that counts which may have cost something of ours", () => {
  const isOurs = (podCIDR: string) => podCIDR === "10.244.2.0/24";
  const counts = (line: string) => concernsUs(line, isOurs);
  assertEquals(ofOurs.filter((line) => !counts(line)), []);
  assertEquals(ofOthers.filter(counts), []);
});

Deno.test("of what nft monitor tells, that counts which changes rules where ours are", () => {
  const changing = [
    "delete rule ip filter FORWARD handle 2",
    "delete rule ip nat POSTROUTING handle 2",
    "delete rule ip6 filter FORWARD handle 17",
    "delete chain ip filter FORWARD",
    "delete table ip nat",
    "replace rule ip filter FORWARD handle 3 counter drop",
    "delete rule inet deno_cni forward handle 5",
    "delete element inet deno_cni cluster4 { 10.244.0.0/16 }",
    "insert rule inet deno_cni forward drop",
    "delete table inet deno_cni",
    "# ERROR: We lost some netlink events!",
  ];
  // kube-proxy writes its own chains anew with each change of a service.
  const others = [
    "delete rule ip nat KUBE-SERVICES handle 210",
    "add rule ip filter FORWARD counter packets 0 bytes 0 accept",
    "add table ip filter",
    "# new generation 14 by process 26010 (iptables-restor)",
    "delete table inet firewalld",
    "add rule inet deno_cni_trace watch meta nftrace set 1",
  ];
  assertEquals(changing.filter((line) => !changesRules(line)), []);
  assertEquals(others.filter(changesRules), []);
});
