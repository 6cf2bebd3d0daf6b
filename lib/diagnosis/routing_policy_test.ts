/** Rules as `ip -j rule` of iproute2 6.1 printed them on a node of a lab. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { show } from "../exec/command.ts";
import { readList } from "../net/ip_json.ts";
import {
  decidingRule,
  type FibRoute,
  type PolicyRule,
  policyWords,
  removeRule,
  type RoutedPacket,
  ruleText,
} from "./routing_policy.ts";

const rules = readList<PolicyRule>(
  `[{"priority":0,"src":"all","table":"local"},{"priority":10,"not":null,"src":"10.9.0.0","srclen":16,"tos":"0x10","ipproto":"tcp","dport":80,"table":"5"},{"priority":11,"src":"all","oif":"eth0","uid_start":0,"uid_end":5,"sport_start":1,"sport_end":5,"action":"blackhole"},{"priority":12,"src":"all","dst":"1.2.3.4","action":"unreachable"},{"priority":14,"src":"9.9.9.9","goto":32766},{"priority":15,"src":"8.8.8.8","table":"7","suppress_ifgroup":"3","protocol":"static"},{"priority":400,"src":"all","table":"main","suppress_prefixlen":0},{"priority":32764,"src":"all","fwmark":"0x7","fwmask":"0xff","iif":"cni0","table":"101"},{"priority":32765,"src":"10.244.1.0","srclen":24,"table":"100"},{"priority":32766,"src":"all","table":"main"},{"priority":32767,"src":"all","table":"default"}]`,
);

Deno.test("rules are written as ip rule writes them", () => {
  assertEquals(rules.map(ruleText), [
    "from all lookup local",
    "not from 10.9.0.0/16 tos 0x10 ipproto tcp dport 80 lookup 5",
    "from all oif eth0 uidrange 0-5 sport 1-5 blackhole",
    "from all to 1.2.3.4 unreachable",
    "from 9.9.9.9 goto 32766",
    "from 8.8.8.8 lookup 7 suppress_ifgroup 3",
    "from all lookup main suppress_prefixlength 0",
    "from all fwmark 0x7/0xff iif cni0 lookup 101",
    "from 10.244.1.0/24 lookup 100",
    "from all lookup main",
    "from all lookup default",
  ]);
});

Deno.test("the rule is found that gave a packet its route, and the one that refused it", () => {
  const deciding = (packet: RoutedPacket, table?: string) =>
    decidingRule(
      rules,
      packet,
      table === undefined ? undefined : { dst: "default", table },
    )?.priority;
  const destination = "10.244.2.3";
  const source = "10.244.1.2";
  assertEquals(deciding({ destination, source }, "100"), 32765);
  assertEquals(deciding({ destination, source: "10.9.1.1" }, "100"), undefined);
  const marked = { destination, source, in: "cni0", mark: 0x107 };
  assertEquals(deciding(marked, "101"), 32764);
  assertEquals(deciding({ ...marked, mark: 8 }, "101"), undefined);
  assertEquals(deciding({ destination: "1.2.3.4" }), 12);
  assertEquals(decidingRule(rules, marked, { dst: "default" }), undefined);
});

Deno.test("what a rule does is said beside the main table's way, if that is another", () => {
  const rule = rules.find(({ table }) => table === "100");
  assert(rule !== undefined);
  const main = { dst: "10.244.2.0/24", gateway: "10.0.1.12", dev: "eth0" };
  const words = (found: FibRoute | undefined, said = "") =>
    policyWords({
      ...{ where: "worker-1", rule, main, found, said },
      packet: { source: "10.244.1.2", destination: "10.244.2.3", mark: 7 },
    });
  const begin = "a rule of policy routing on worker-1 " +
    '("from 10.244.1.0/24 lookup 100") is about what goes to 10.244.2.3 and ' +
    "bears the mark 7 and ";
  const end =
    ', where the main table has "10.244.2.0/24 via 10.0.1.12 dev eth0"';
  assertEquals(
    words({ dst: "default", gateway: "10.0.1.1", dev: "eth0", table: "100" }),
    `${begin}sends it by "default via 10.0.1.1 dev eth0 table 100"${end}`,
  );
  assertEquals(
    words(undefined, "RTNETLINK answers: Invalid argument"),
    `${begin}looks into the table 100, which has no way for it (blackhole)${end}`,
  );
  assertEquals(words({ ...main, dst: "default", table: "100" }), undefined);
});

Deno.test("a rule is taken away by all that it says, since others may have its priority", () => {
  const rule = rules.find(({ priority }) => priority === 32764);
  assertEquals(
    rule && show(removeRule(4, rule)),
    "ip -4 rule del pref 32764 from all fwmark 0x7/0xff iif cni0 lookup 101",
  );
});
