// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { dualCluster } from "../cluster/cluster_testing.ts";
import { familyOf } from "../net/cidr.ts";
import type { NftChainText } from "../net/nft_table.ts";
import { natRules } from "../net/nft_nat_rules.ts";
import type { Answer } from "../stage/stage.ts";
import { nftChain } from "./nft_chain.ts";

const clusterCIDRs = ["10.244.0.0/16", "fd00:10:244::/56"];

const forward: NftChainText = {
  name: "forward",
  type: "filter",
  hook: "forward",
  priority: ["filter", 0],
  rules: clusterCIDRs.flatMap((cidr) => {
    const [ip, set] = familyOf(cidr) === 4
      ? ["ip", "cluster4"]
      : ["ip6", "cluster6"];
    return ["saddr", "daddr"].map((field) => ({
      rule: `${ip} ${field} @${set} accept`,
      why: "pods",
    }));
  }),
};

/** As nft 1.0.6 printed it, with the chains of both stages. */
const listed = JSON.stringify(
  {
    "nftables": [
      {
        "metainfo": {
          "version": "1.0.6",
          "release_name": "Lester Gooch #5",
          "json_schema_version": 1,
        },
      },
      { "table": { "family": "inet", "name": "deno_cni", "handle": 1 } },
      {
        "set": {
          "family": "inet",
          "name": "cluster4",
          "table": "deno_cni",
          "type": "ipv4_addr",
          "handle": 1,
          "comment": "deno-cni",
          "flags": ["interval"],
          "elem": [{ "prefix": { "addr": "10.244.0.0", "len": 16 } }],
        },
      },
      {
        "set": {
          "family": "inet",
          "name": "cluster6",
          "table": "deno_cni",
          "type": "ipv6_addr",
          "handle": 2,
          "comment": "deno-cni",
          "flags": ["interval"],
          "elem": [{ "prefix": { "addr": "fd00:10:244::", "len": 56 } }],
        },
      },
      {
        "chain": {
          "family": "inet",
          "table": "deno_cni",
          "name": "forward",
          "handle": 4,
          "type": "filter",
          "hook": "forward",
          "prio": 0,
          "policy": "accept",
        },
      },
      {
        "chain": {
          "family": "inet",
          "table": "deno_cni",
          "name": "postrouting",
          "handle": 9,
          "type": "nat",
          "hook": "postrouting",
          "prio": 100,
          "policy": "accept",
        },
      },
      {
        "rule": {
          "family": "inet",
          "table": "deno_cni",
          "chain": "forward",
          "handle": 5,
          "comment": "deno-cni",
          "expr": [{
            "match": {
              "op": "==",
              "left": { "payload": { "protocol": "ip", "field": "saddr" } },
              "right": "@cluster4",
            },
          }, { "accept": null }],
        },
      },
      {
        "rule": {
          "family": "inet",
          "table": "deno_cni",
          "chain": "forward",
          "handle": 6,
          "comment": "deno-cni",
          "expr": [{
            "match": {
              "op": "==",
              "left": { "payload": { "protocol": "ip", "field": "daddr" } },
              "right": "@cluster4",
            },
          }, { "accept": null }],
        },
      },
      {
        "rule": {
          "family": "inet",
          "table": "deno_cni",
          "chain": "forward",
          "handle": 7,
          "comment": "deno-cni",
          "expr": [{
            "match": {
              "op": "==",
              "left": { "payload": { "protocol": "ip6", "field": "saddr" } },
              "right": "@cluster6",
            },
          }, { "accept": null }],
        },
      },
      {
        "rule": {
          "family": "inet",
          "table": "deno_cni",
          "chain": "forward",
          "handle": 12,
          "comment": "deno-cni",
          "expr": [{
            "match": {
              "op": "==",
              "left": { "payload": { "protocol": "ip6", "field": "daddr" } },
              "right": "@cluster6",
            },
          }, { "accept": null }],
        },
      },
      {
        "rule": {
          "family": "inet",
          "table": "deno_cni",
          "chain": "postrouting",
          "handle": 10,
          "comment": "deno-cni",
          "expr": [{
            "match": {
              "op": "==",
              "left": { "payload": { "protocol": "ip", "field": "saddr" } },
              "right": { "prefix": { "addr": "10.244.1.0", "len": 24 } },
            },
          }, {
            "match": {
              "op": "!=",
              "left": { "payload": { "protocol": "ip", "field": "daddr" } },
              "right": "@cluster4",
            },
          }, {
            "match": {
              "op": "!=",
              "left": { "meta": { "key": "oifname" } },
              "right": "cni0",
            },
          }, { "masquerade": null }],
        },
      },
      {
        "rule": {
          "family": "inet",
          "table": "deno_cni",
          "chain": "postrouting",
          "handle": 11,
          "comment": "deno-cni",
          "expr": [{
            "match": {
              "op": "==",
              "left": { "payload": { "protocol": "ip6", "field": "saddr" } },
              "right": { "prefix": { "addr": "fd00:10:244:1::", "len": 64 } },
            },
          }, {
            "match": {
              "op": "!=",
              "left": { "payload": { "protocol": "ip6", "field": "daddr" } },
              "right": "@cluster6",
            },
          }, {
            "match": {
              "op": "!=",
              "left": { "meta": { "key": "oifname" } },
              "right": "cni0",
            },
          }, { "masquerade": null }],
        },
      },
    ],
  },
);

const step = nftChain("why", forward, { clusterCIDRs });

function read(stdout: string): Answer {
  assert(step.doneWhen);
  return step.doneWhen.read({ code: 0, stdout, stderr: "" });
}

/** What is otherwise once this was replaced. */
function after(from: string, to: string): string {
  const changed = listed.replaceAll(from, to);
  assert(changed !== listed, from);
  const answer = read(changed);
  assert(answer.is === "absent", answer.is);
  assertEquals(answer.ours, true);
  return answer.found ?? "";
}

Deno.test("our chain as nft lists it is present, also as a later nft does", () => {
  assertEquals(read(listed), { is: "present", ours: true });
  const later = listed.replaceAll('"flags":["interval"]', '"flags":"interval"')
    .replaceAll('"op":"=="', '"op":"in"');
  assert(later !== listed);
  assertEquals(read(later), { is: "present", ours: true });
});

Deno.test("where one family is asked about, the other's rules are no drift", () => {
  const [four, six] = clusterCIDRs;
  assert(four && six);
  for (
    const [cidr, ip] of [[four, "ip "], [six, "ip6 "]] as const
  ) {
    const own = {
      ...forward,
      rules: forward.rules.filter(({ rule }) => rule.startsWith(ip)),
    };
    const asked = (of: Partial<Cluster>) =>
      nftChain("why", own, { ...of, clusterCIDRs: [cidr] }).doneWhen
        ?.read({ code: 0, stdout: listed, stderr: "" });
    const whole = dualCluster({ name: "lab", stateDir: "/state/lab" });
    assertEquals(asked({ whole }), { is: "present", ours: true });
    assertEquals(asked({})?.is, "absent");
  }
});

Deno.test("each kind of drift is seen, and said", () => {
  for (
    const [from, to, said] of [
      [
        '"policy":"accept"',
        '"policy":"drop"',
        "policy of the chain forward is drop",
      ],
      ['"prio":0', '"prio":-1', "priority of the chain forward is -1, not 0"],
      [
        '"hook":"forward"',
        '"hook":"input"',
        "hook of the chain forward is input",
      ],
      [
        '"type":"filter"',
        '"type":"route"',
        "type of the chain forward is route",
      ],
      [
        '"10.244.0.0","len":16',
        '"10.244.0.0","len":17',
        "cluster4 holds 10.244.0.0/17, not",
      ],
      ['"name":"cluster6"', '"name":"cluster7"', "the set cluster6 is gone"],
      [
        '"field":"daddr"}},"right":"@cluster4"}},{"accept"',
        '"field":"daddr"}},"right":"@cluster4"}},{"drop"',
        "lacks the rule: ip daddr @cluster4 accept",
      ],
      [
        '"field":"saddr"}},"right":"@cluster6"',
        '"field":"sport"}},"right":"@cluster6"',
        "has one more rule: ip6 sport @cluster6 accept",
      ],
    ] as const
  ) assertStringIncludes(after(from, to), said);
  const value = JSON.parse(listed);
  const objects: Record<string, { chain?: string; comment?: string }>[] =
    value.nftables;
  const isRule = (one: typeof objects[number]) => one.rule?.chain === "forward";
  const rules = objects.filter(isRule);
  const others = objects.filter((one) => !isRule(one));
  const withRules = (own: readonly unknown[]) =>
    read(JSON.stringify({ nftables: [...others, ...own] }));
  for (
    const [own, said] of [
      [rules.slice(1), "lacks the rule: ip saddr @cluster4 accept"],
      [[...rules, rules[0]], "one more rule: ip saddr @cluster4 accept"],
      [rules.toReversed(), "are in another order"],
      [
        [{ rule: { chain: "forward", expr: [{ drop: null }] } }, ...rules],
        "one more rule: drop (not marked)",
      ],
    ] as const
  ) {
    const answer = withRules(own);
    assert(answer.is === "absent");
    assertStringIncludes(answer.found ?? "", said);
  }
});

Deno.test("without the table there is nothing, and without the chain nothing of this stage's", () => {
  assert(step.doneWhen);
  const stderr = "Error: No such file or directory\nlist table inet deno_cni\n";
  const none = step.doneWhen.read({ code: 1, stdout: "", stderr });
  assertEquals(none, { is: "absent", found: "no table inet deno_cni" });
  const { is, ...more } = read(
    listed.replaceAll('"forward"', '"elsewhere"'),
  );
  assertEquals(is, "absent");
  assert(!("ours" in more));
  const odd = step.doneWhen.read({
    code: undefined,
    stdout: "",
    stderr: "",
    ended: "no such command",
  });
  assertEquals(odd.is, "unknown");
});

Deno.test("a table of this name that is another's is refused, and so is a set of another kind", () => {
  const theirs = read(listed.replaceAll('"comment":"deno-cni",', ""));
  assert(theirs.is === "different");
  assertStringIncludes(theirs.found, "this tool did not make");
  const plain = read(listed.replaceAll('"flags":["interval"],', ""));
  assert(plain.is === "different");
  assertStringIncludes(plain.found, "the set cluster4");
  assertStringIncludes(plain.remedy, "nft delete table inet deno_cni");
});

Deno.test("what our table rewrites reads as rules of iptables", () => {
  assertEquals(natRules(listed, 4), [
    "-A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 ! -o cni0 " +
    "-m comment --comment deno-cni -j MASQUERADE",
  ]);
  assertEquals(natRules(listed, 6), [
    "-A POSTROUTING -s fd00:10:244:1::/64 ! -d fd00:10:244::/56 ! -o cni0 " +
    "-m comment --comment deno-cni -j MASQUERADE",
  ]);
  assertEquals(natRules("", 4), []);
  const odd = listed.replaceAll('"key":"oifname"', '"key":"mark"');
  assertStringIncludes(natRules(odd, 4).join("\n"), "-m nft");
});
