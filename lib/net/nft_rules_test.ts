// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Packet } from "./iptables.ts";
import { readRuleset } from "./nft_rules.ts";

const new4: Packet = {
  ...{ source: "10.244.1.2", destination: "10.244.2.2" },
  ...{ in: "cni0", out: "eth0", reply: false },
};
const answer4: Packet = {
  ...{ source: "10.244.2.2", destination: "10.244.1.2" },
  ...{ in: "eth0", out: "cni0", reply: true },
};
const new6: Packet = {
  ...{ source: "fd00:10:244:1::2", destination: "fd00:10:244:2::2" },
  ...{ in: "cni0", out: "eth0", reply: false },
};
const ping: Packet = { ...new4, protocol: "icmp" };
const packets = { new4, answer4, new6, ping };

/** A base chain `fw` of these rules as nft 1.0.6 printed them, and a chain `c` that drops. */
function saysOf(
  rules: readonly string[],
  packet: Packet,
  more: readonly object[] = [],
): string {
  const at = { family: "inet", table: "t" };
  const ruleset = readRuleset(JSON.stringify({
    nftables: [
      { table: { family: "inet", name: "t" } },
      ...more,
      { chain: { ...at, name: "fw", hook: "forward", policy: "accept" } },
      { chain: { ...at, name: "c" } },
      { rule: { ...at, chain: "c", handle: 99, expr: [{ drop: null }] } },
      ...rules.map((rule, handle) => (
        { rule: { ...at, chain: "fw", handle, expr: JSON.parse(rule) } }
      )),
    ],
  }));
  const [chain] = ruleset.chains;
  if (chain === undefined) return "off";
  const found = ruleset.verdict(chain, { is: "ip", packet });
  return found === undefined
    ? "policy"
    : `${found.maybe ? "may " : ""}${found.is}`;
}

/** A match, as nft 1.0.6 printed it, ahead of a drop. */
const drop = (left: string, right: string, op = "==") =>
  `[{"match":{"op":"${op}","left":${left},"right":${right}}},{"drop":null}]`;
const meta = (key: string) => `{"meta":{"key":"${key}"}}`;
const ct = (key: string) => `{"ct":{"key":"${key}"}}`;
const ip = (field: string) =>
  `{"payload":{"protocol":"ip","field":"${field}"}}`;

/** What each says to packets; "policy" where it is not named. */
const cases: readonly (readonly [
  rule: string,
  Readonly<Partial<Record<keyof typeof packets, string>>>,
])[] = [
  [drop(ct("state"), '["established","related"]', "in"), { answer4: "drop" }],
  [drop(ct("state"), '"invalid"', "in"), {}],
  [drop(ct("state"), '"new"', "!="), { answer4: "drop" }],
  [drop(ct("direction"), '"original"'), {
    ...{ new4: "drop", new6: "drop", ping: "drop" },
  }],
  [drop(ct("mark"), "1"), {
    ...{ new4: "may drop", answer4: "may drop", new6: "may drop" },
    ping: "may drop",
  }],
  [
    '[{"vmap":{"key":{"ct":{"key":"state"}},"data":{"set":[["invalid",{"drop":null}],["established",{"accept":null}],["related",{"accept":null}]]}}}]',
    { answer4: "accept" },
  ],
  [drop(meta("l4proto"), '{"set":["icmp","ipv6-icmp"]}'), { ping: "drop" }],
  [drop(meta("l4proto"), '"tcp"'), {
    ...{ new4: "drop", answer4: "drop", new6: "drop" },
  }],
  [drop(ip("protocol"), '"icmp"'), { ping: "drop" }],
  [drop(meta("iifname"), '"cni*"'), {
    ...{ new4: "drop", new6: "drop", ping: "drop" },
  }],
  [drop(meta("iifname"), '{"set":["lo","cni0"]}'), {
    ...{ new4: "drop", new6: "drop", ping: "drop" },
  }],
  [drop(meta("oif"), '"cni0"'), { answer4: "drop" }],
  [
    '[{"vmap":{"key":{"meta":{"key":"iifname"}},"data":{"set":[["eth0",{"jump":{"target":"c"}}]]}}}]',
    { answer4: "drop" },
  ],
  [
    '[{"vmap":{"key":{"concat":[{"meta":{"key":"iifname"}},{"meta":{"key":"oifname"}}]},"data":{"set":[[{"concat":["eth0","cni0"]},{"drop":null}]]}}}]',
    { answer4: "drop" },
  ],
  [
    drop(
      `{"concat":[${meta("iifname")},${ip("saddr")}]}`,
      '{"set":[{"concat":["cni0","10.244.1.2"]}]}',
    ),
    { new4: "drop", ping: "drop" },
  ],
  [drop(meta("mark"), "1"), {}],
  [drop('{"&":[{"meta":{"key":"mark"}},16384]}', "0", "!="), {}],
  [drop(ip("saddr"), '"@s"'), { new4: "drop", ping: "drop" }],
  [
    '[{"vmap":{"key":{"payload":{"protocol":"ip","field":"saddr"}},"data":"@m"}}]',
    { answer4: "drop" },
  ],
  [
    drop('{"payload":{"protocol":"tcp","field":"dport"}}', "22"),
    { new4: "may drop", answer4: "may drop", new6: "may drop" },
  ],
  [drop('{"payload":{"protocol":"udp","field":"dport"}}', "53"), {}],
  [
    drop('{"payload":{"protocol":"icmp","field":"type"}}', '"echo-request"'),
    { ping: "drop" },
  ],
  [
    drop(
      '{"payload":{"protocol":"ip6","field":"daddr"}}',
      '{"set":[{"prefix":{"addr":"::ffff:0.0.0.0","len":96}},' +
        '{"prefix":{"addr":"fd00:10::","len":32}}]}',
    ),
    { new6: "drop" },
  ],
  [drop(meta("pkttype"), '"host"', "!="), {}],
  [
    drop(
      '{"fib":{"result":"oif","flags":["saddr","iif"]}}',
      "false",
    ),
    {
      ...{ new4: "may drop", answer4: "may drop", new6: "may drop" },
      ping: "may drop",
    },
  ],
  ['[{"xt":{"type":"match","name":"comment"}},{"accept":null}]', {
    ...{ new4: "accept", answer4: "accept", new6: "accept", ping: "accept" },
  }],
  ['[{"limit":{"rate":3,"burst":5,"per":"second"}},{"accept":null}]', {}],
  ['[{"queue":{"num":3}}]', {
    ...{ new4: "drop", answer4: "drop", new6: "drop", ping: "drop" },
  }],
  ['[{"queue":{"num":3,"flags":"bypass"}}]', {}],
];

const elements = [
  {
    set: {
      ...{ family: "inet", table: "t", name: "s" },
      elem: [{ prefix: { addr: "10.244.1.0", len: 24 } }],
    },
  },
  {
    map: {
      ...{ family: "inet", table: "t", name: "m" },
      elem: [["*", { accept: null }], [
        { range: ["10.244.2.0", "10.244.2.9"] },
        { drop: null },
      ]],
    },
  },
];

Deno.test("each question of a rule is answered for the packets that it is about", () => {
  for (const [rule, said] of cases) {
    for (const [name, packet] of Object.entries(packets)) {
      const wanted = Object.entries(said).find(([one]) => one === name)?.[1];
      const others = rule.includes("@m") && name !== "answer4"
        ? name === "new6" ? "policy" : "accept"
        : "policy";
      const found = saysOf([rule], packet, elements);
      assertEquals(found, wanted ?? others, `${rule} to ${name}`);
    }
  }
});

Deno.test("what may drop hides no rule behind it that is sure to, and an accept behind it does not clear it", () => {
  const mayDrop = drop(ct("mark"), "1");
  const sure = '[{"counter":{"packets":1,"bytes":1}},{"drop":null}]';
  const accept = '[{"accept":null}]';
  const jump = '[{"jump":{"target":"c"}}]';
  const mayJump =
    '[{"match":{"op":"==","left":{"ct":{"key":"mark"}},"right":1}},{"jump":{"target":"c"}}]';
  assertEquals(saysOf([mayDrop, sure], new4), "drop");
  assertEquals(saysOf([mayDrop, accept], new4), "may drop");
  assertEquals(saysOf([mayJump, accept], new4), "may drop");
  assertEquals(saysOf([mayJump, jump], new4), "drop");
  assertEquals(saysOf([accept, jump], new4), "accept");
});

Deno.test("the end of a chain that a goto leads to is the end of the one that it stands in", () => {
  const at = { family: "inet", table: "t" };
  const empty = [{ chain: { ...at, name: "fw", hook: "forward" } }, {
    chain: { ...at, name: "e" },
  }];
  const sure = '[{"drop":null}]';
  assertEquals(
    saysOf(['[{"goto":{"target":"e"}}]', sure], new4, empty),
    "policy",
  );
  assertEquals(
    saysOf(['[{"jump":{"target":"e"}}]', sure], new4, empty),
    "drop",
  );
  assertEquals(saysOf(['[{"return":null}]', sure], new4), "policy");
});

Deno.test("a table that is dormant drops nothing, by either way of nft to print it", () => {
  const of = (flags: unknown) =>
    saysOf(['[{"drop":null}]'], new4, [
      { table: { family: "inet", name: "t", flags } },
    ]);
  // In 1.0.6 the table's name.
  for (const flags of ["t", "dormant", ["dormant"], ["owner", "dormant"]]) {
    assertEquals(of(flags), "off");
  }
  for (const flags of ["owner", ["owner", "persist"]]) {
    assertEquals(of(flags), "drop");
  }
});

Deno.test("firewalld's table rejects what no zone of it lets pass, and answers pass", async () => {
  const ruleset = readRuleset(
    await Deno.readTextFile(
      new URL("testdata/firewalld.json", import.meta.url),
    ),
  );
  const said = ruleset.chains.filter(({ hook }) => hook !== undefined)
    .flatMap((chain) =>
      Object.entries(packets).flatMap(([name, packet]) => {
        const found = ruleset.verdict(chain, { is: "ip", packet });
        return found?.is !== "drop"
          ? []
          : [[chain.name, name, found.rule.chain, found.maybe]];
      })
    );
  const back = { ...new4, in: "eth0", out: "cni0" };
  const forward = ruleset.chains.find(({ name }) => name === "filter_FORWARD");
  assertEquals(
    forward && ruleset.verdict(forward, { is: "ip", packet: back })?.rule.chain,
    "filter_FWD_public",
  );
  assertEquals(said, [
    ["filter_PREROUTING", "new6", "filter_PREROUTING", true],
    ["filter_INPUT", "new4", "filter_IN_public", false],
    ["filter_INPUT", "new6", "filter_IN_public", false],
  ]);
});
