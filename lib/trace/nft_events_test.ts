/** The reading of what nft 1.0.6 printed on the nodes of a lab. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { isWhole, parseEvents } from "./nft_events.ts";

/** A ping of full length that leaves the cluster: `nft -a monitor` on worker-1. */
const masqueraded =
  `trace id 471ad515 inet deno-cni-trace prerouting packet: iif "cni0" ether saddr 1e:5a:6e:70:71:1e ether daddr 02:dc:f9:71:50:d8 ip saddr 10.244.1.2 ip daddr 203.0.113.8 ip dscp cs0 ip ecn not-ect ip ttl 64 ip id 0 ip protocol icmp ip length 1500 icmp type echo-request icmp code net-unreachable icmp id 77 icmp sequence 1 @th,64,96 0x9d2f016b00000000f9ec0d00 
trace id 471ad515 inet deno-cni-trace prerouting rule ip protocol icmp meta nftrace set 1 # handle 6 (verdict continue)
trace id 471ad515 inet deno-cni-trace prerouting policy accept 
trace id be73d72d ip filter FORWARD packet: iif "cni0" oif "eth0" ether saddr 1e:5a:6e:70:71:1e ether daddr 02:dc:f9:71:50:d8 ip saddr 10.244.1.2 ip daddr 203.0.113.8 ip dscp cs0 ip ecn not-ect ip ttl 63 ip id 0 ip length 1500 icmp type echo-request icmp code net-unreachable icmp id 77 icmp sequence 1 @th,64,96 0x9d2f016b00000000f9ec0d00 
trace id be73d72d ip filter FORWARD rule ip saddr 10.244.0.0/16  counter packets 30 bytes 1994 accept # handle 2 (verdict accept)
trace id be73d72d ip nat POSTROUTING packet: iif "cni0" oif "eth0" ether saddr 1e:5a:6e:70:71:1e ether daddr 02:dc:f9:71:50:d8 ip saddr 10.244.1.2 ip daddr 203.0.113.8 ip dscp cs0 ip ecn not-ect ip ttl 63 ip id 0 ip length 1500 icmp type echo-request icmp code net-unreachable icmp id 77 icmp sequence 1 @th,64,96 0x9d2f016b00000000f9ec0d00 
trace id be73d72d ip nat POSTROUTING rule oifname != "cni0" ip saddr 10.244.1.0/24 ip daddr != 10.244.0.0/16  counter packets 3 bytes 180 masquerade # handle 2 (verdict accept)
delete rule inet deno-cni-trace prerouting handle 6
delete chain inet deno-cni-trace prerouting
delete table inet deno-cni-trace # handle 4
# new generation 9 by process 15837 (nft)
`;

/** The answer to a web request, inside the pod that sent that. */
const synAck =
  `trace id ea397bb7 inet deno-cni-trace input packet: iif "eth0" ether saddr 02:dc:f9:71:50:d8 ether daddr 1e:5a:6e:70:71:1e ip saddr 10.244.2.2 ip daddr 10.244.1.2 ip dscp cs0 ip ecn not-ect ip ttl 62 ip id 0 ip protocol tcp ip length 60 tcp sport 80 tcp dport 33460 tcp flags == 0x12 tcp window 65160 
trace id ea397bb7 inet deno-cni-trace input policy accept 
`;

/** ICMPv6, of which nft shows identifier and sequence number as one number. */
const ipv6 =
  `trace id 841d30b6 inet deno-cni-trace prerouting packet: iif "lo" @ll,0,112 0x86dd ip6 saddr ::1 ip6 daddr ::1 ip6 dscp cs0 ip6 ecn not-ect ip6 hoplimit 64 ip6 flowlabel 807711 ip6 nexthdr ipv6-icmp ip6 length 1460 icmpv6 type echo-request icmpv6 code no-route icmpv6 parameter-problem 5046273 @th,64,96 0x7330016b000000004dca0e00 
`;

Deno.test("packets, rules and policies are read in their order", () => {
  const events = parseEvents(masqueraded);
  assertEquals(
    events.map(({ table, chain, met }) =>
      `${table} ${chain}: ${met.is}${"verdict" in met ? ` ${met.verdict}` : ""}`
    ),
    [
      "inet deno-cni-trace prerouting: chain",
      "inet deno-cni-trace prerouting: rule continue",
      "inet deno-cni-trace prerouting: policy accept",
      "ip filter FORWARD: chain",
      "ip filter FORWARD: rule accept",
      "ip nat POSTROUTING: chain",
      "ip nat POSTROUTING: rule accept",
    ],
  );
});

Deno.test("a packet has its links, addresses, length and identifier", () => {
  const packet = parseEvents(masqueraded)[3]?.packet;
  assertEquals(packet, {
    in: "cni0",
    out: "eth0",
    macSource: "1e:5a:6e:70:71:1e",
    macDestination: "02:dc:f9:71:50:d8",
    source: "10.244.1.2",
    destination: "203.0.113.8",
    size_bytes: 1500,
    ttl: 63,
    what: { protocol: "icmp", type: "request", id: 77 },
  });
});

Deno.test("a rule has its handle, by which its chain lists it", () => {
  assertEquals(parseEvents(masqueraded).at(-1)?.met, {
    is: "rule",
    text:
      'oifname != "cni0" ip saddr 10.244.1.0/24 ip daddr != 10.244.0.0/16 counter packets 3 bytes 180 masquerade',
    handle: 2,
    verdict: "accept",
  });
});

Deno.test("a TCP packet has its ports", () => {
  const [event] = parseEvents(synAck);
  assertEquals(event?.packet.what, {
    protocol: "tcp",
    sport: 80,
    dport: 33460,
  });
  assertEquals(event?.packet.size_bytes, 60);
});

Deno.test("of ICMPv6 the identifier is the upper half, and the header counts", () => {
  const [event] = parseEvents(ipv6);
  assertEquals(event?.packet.what, {
    protocol: "icmp",
    type: "request",
    id: 77,
  });
  assertEquals(event?.packet.size_bytes, 1500);
});

Deno.test("what drops a packet is read: a policy, and a rule that rejects", () => {
  const begin =
    'trace id 1 ip filter FORWARD packet: iif "cni0" oif "eth0" ip saddr 10.244.1.2 ip daddr 10.244.2.3 ip length 84 icmp type echo-request icmp id 5\n';
  const [, policy] = parseEvents(
    `${begin}trace id 1 ip filter FORWARD policy drop \n`,
  );
  assertEquals(policy?.met, { is: "policy", verdict: "drop" });
  const [, rule] = parseEvents(
    `${begin}trace id 1 ip filter THEIRS rule ct state new counter packets 1 bytes 84 reject # handle 7 (verdict drop)\n`,
  );
  assertEquals(rule?.chain, "THEIRS");
  assertEquals(rule?.met.is === "rule" && rule.met.verdict, "drop");
});

Deno.test("a mark that a packet bears is no part of a policy's verdict", () => {
  const line =
    'trace id 1 ip mangle FORWARD packet: iif "cni0" oif "eth0" ip saddr 10.244.1.2 ip daddr 10.244.2.3 ip ttl 8 ip length 84 icmp type echo-request icmp id 5\n' +
    "trace id 1 ip mangle FORWARD policy drop meta mark 0x00000007 \n";
  const event = parseEvents(line).at(-1);
  assertEquals(event?.met, { is: "policy", verdict: "drop" });
  assertEquals(event?.mark, 7);
});

Deno.test("lines that are not of packets, and of packets never shown, are left out", () => {
  assertEquals(
    parseEvents(
      "add table ip x\ntrace id 9 ip x y policy accept \n\nnft: oops",
    ),
    [],
  );
});

Deno.test("what was heard is whole once the end of the table was told", () => {
  assertEquals(isWhole(masqueraded), true);
  assertEquals(isWhole(synAck), false);
  assertEquals(isWhole("delete table inet deno-cni-trace # handle 1\n"), true);
});
