// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { type Packet, readTable, traverse } from "./iptables.ts";

const packet: Packet = {
  source: "10.244.1.2",
  destination: "10.244.2.2",
  in: "cni0",
  out: "eth0",
  reply: false,
};

function verdict(rules: string, change: Partial<Packet> = {}) {
  return traverse(readTable(rules), "FORWARD", { ...packet, ...change });
}

const ours = `-P FORWARD DROP
-A FORWARD -d 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT
-A FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT`;

Deno.test("a packet goes on to the first rule that it meets", () => {
  assertEquals(verdict(ours).rule, ours.split("\n")[1]);
  assertEquals(
    verdict(ours, { destination: "192.0.2.1" }).rule,
    ours.split("\n")[2],
  );
});

Deno.test("where no rule is met the policy decides; a chain that is not there accepts", () => {
  assertEquals(
    verdict(ours, { source: "192.0.2.7", destination: "192.0.2.1" }),
    { target: "DROP" },
  );
  assertEquals(verdict(""), { target: "ACCEPT" });
});

Deno.test("matches can be inverted, by address and by link", () => {
  const rules = "-A FORWARD ! -d 10.244.0.0/16 ! -o cni0 -j DROP";
  assertEquals(verdict(rules).target, "ACCEPT");
  assertEquals(verdict(rules, { destination: "1.1.1.1" }).target, "DROP");
  assertEquals(
    verdict(rules, { destination: "1.1.1.1", out: "cni0" }).target,
    "ACCEPT",
  );
});

Deno.test("a link's name may end in + for all that begin so", () => {
  const rules = "-A FORWARD -i cni+ -j DROP";
  assertEquals(verdict(rules).target, "DROP");
  assertEquals(verdict(rules, { in: "eth0" }).target, "ACCEPT");
});

Deno.test("a jump comes back where its chain ends or returns", () => {
  const rules = `-P FORWARD ACCEPT
-N THEIRS
-A FORWARD -j THEIRS
-A FORWARD -j DROP
-A THEIRS -s 10.244.1.0/24 -j RETURN
-A THEIRS -j REJECT --reject-with icmp-port-unreachable`;
  assertEquals(verdict(rules).rule, "-A FORWARD -j DROP");
  assertEquals(verdict(rules, { source: "192.0.2.7" }).target, "REJECT");
});

Deno.test("answers belong to connections that are established", () => {
  const rules = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j DROP";
  assertEquals(verdict(rules).target, "ACCEPT");
  assertEquals(verdict(rules, { reply: true }).target, "DROP");
});

Deno.test("a rule that only counts or logs lets the packet go on", () => {
  const rules = "-P FORWARD DROP\n-A FORWARD -s 10.244.1.2/32\n" +
    '-A FORWARD -j LOG --log-prefix "a \\"b\\" -j ACCEPT "';
  assertEquals(verdict(rules), { target: "DROP" });
});

Deno.test("a match that is not understood makes a drop a maybe, and never an accept", () => {
  const unsure = "-P FORWARD DROP\n-A FORWARD -m physdev --physdev-is-bridged";
  assertEquals(verdict(`${unsure} -j ACCEPT`), { target: "DROP" });
  assertEquals(verdict(`${unsure} -j DROP`).maybe, true);
});

Deno.test("a comment is one word, whatever it holds", () => {
  const rules =
    '-A FORWARD -m comment --comment "not ! -s 1.2.3.4 \\"x\\"" -j DROP';
  assertEquals(verdict(rules).target, "DROP");
});

Deno.test("other protocols' rules are not met, and chains that jump in circles end", () => {
  assertEquals(verdict("-A FORWARD -p icmp -j DROP").target, "ACCEPT");
  assertEquals(
    verdict("-N A\n-A FORWARD -j A\n-A A -j A\n-A FORWARD -j DROP").target,
    "DROP",
  );
});

Deno.test("addresses of either family are compared with subnets of their own", () => {
  const rules = "-A FORWARD -s fd00::/8 -j DROP";
  assertEquals(verdict(rules).target, "ACCEPT");
  assertEquals(
    verdict(rules, { source: "fd00::2", destination: "fd00::3" }).target,
    "DROP",
  );
});

Deno.test("what Kubernetes drops or rewrites by its marks does not meet a packet without one", () => {
  const rules = `-P FORWARD DROP
-P POSTROUTING ACCEPT
-A FORWARD -j KUBE-FIREWALL
-A FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT
-A KUBE-FIREWALL -m comment --comment "kubernetes firewall for dropping marked packets" -m mark --mark 0x8000/0x8000 -j DROP
-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0
-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully`;
  assertEquals(verdict(rules), {
    target: "ACCEPT",
    rule: rules.split("\n")[3] ?? "",
  });
  assertEquals(traverse(readTable(rules), "POSTROUTING", packet), {
    target: "ACCEPT",
  });
  assertEquals(verdict("-A FORWARD -m mark --mark 0x0 -j DROP").target, "DROP");
});

Deno.test("a packet to a port meets the rules about that port, and no others", () => {
  const packet = {
    source: "10.0.2.12",
    destination: "10.0.1.11",
    in: "eth0",
    reply: false,
    protocol: "udp",
    port: 8472,
  } as const;
  const verdict = (...rules: readonly string[]) =>
    traverse(
      readTable(
        ["-P INPUT DROP", ...rules.map((rule) => `-A INPUT ${rule}`)].join(
          "\n",
        ),
      ),
      "INPUT",
      packet,
    );
  for (
    const rule of [
      "-p udp -m udp --dport 8472 -j ACCEPT",
      "-i eth0 -p udp -m multiport --dports 53,8000:9000 -j ACCEPT",
      "-p 17 -j ACCEPT",
    ]
  ) assertEquals(verdict(rule).target, "ACCEPT", rule);
  for (
    const rule of [
      "-p udp -m udp --dport 4789 -j ACCEPT",
      "-p tcp -m tcp --dport 8472 -j ACCEPT",
      "-p udp -m multiport --dports 53,123 -j ACCEPT",
      "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
    ]
  ) assertEquals(verdict(rule), { target: "DROP" }, rule);
  assertEquals(verdict("-p udp -m udp --dport 8000:9000 -j REJECT"), {
    target: "REJECT",
    rule: "-A INPUT -p udp -m udp --dport 8000:9000 -j REJECT",
  });
  assertEquals(verdict("-p udp --sport 9 -j DROP").maybe, true);
});
