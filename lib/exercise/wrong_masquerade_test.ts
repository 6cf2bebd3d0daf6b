// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { withWrongMasquerade } from "./wrong_masquerade.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd, show } from "../exec/command.ts";
import type { NftChainText } from "../net/nft_table.ts";
import { nftChain } from "../steps/nft_chain.ts";
import { ruleIs } from "../steps/probes.ts";
import { type Stage, undoOf } from "../stage/stage.ts";
import { unlessGone } from "./wrong_masquerade.ts";
import { run } from "../exec/run.ts";

const cluster = labCluster({ name: "lab", stateDir: "/state/lab" });
const [, node] = cluster.nodes;
assert(node);

const rule =
  cmd`-s 10.244.1.0/24 ! -d 10.244.0.0/16 ! -o cni0 -m comment --comment deno-cni -j MASQUERADE`
    .argv;
const right: Stage = {
  name: "07-masquerade",
  summary: "",
  afterwards: () => undefined,
  steps: () => [{
    why: "right",
    doneWhen: ruleIs(cmd`iptables -w -t nat -C POSTROUTING ${rule}`),
    run: cmd`iptables -w -t nat -A POSTROUTING ${rule}`,
    undo: cmd`iptables -w -t nat -D POSTROUTING ${rule}`,
  }, { why: "something else", run: cmd`true` }],
};

Deno.test("the circulating rule is ours without the exemption and without our mark", () => {
  const steps = withWrongMasquerade(right).steps?.({ cluster, node }) ?? [];
  const [wrong, rest] = steps;
  assert(wrong && rest && "argv" in wrong.run);
  const bare = "POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE";
  assertEquals(show(wrong.run), `iptables -w -t nat -A ${bare}`);
  assert(wrong.doneWhen);
  assertEquals(show(wrong.doneWhen.ask), `iptables -w -t nat -C ${bare}`);
  assertEquals(undoOf(wrong)?.label, `iptables -w -t nat -D ${bare}`);
  assertEquals(rest.why, "something else");
});

Deno.test("deleting what is gone succeeds, and no other failure is taken for that", async () => {
  const of = async (code: number) =>
    (await run(unlessGone(cmd`sh -c ${`exit ${code}`}`))).code;
  assertEquals(await of(0), 0);
  assertEquals(await of(1), 0);
  assert(await of(4) !== 0);
  assert((await run(unlessGone(cmd`no-such-program-here`))).code !== 0);
});

Deno.test("in nftables our chain loses the exemption, as a step of its own", () => {
  const postrouting: NftChainText = {
    name: "postrouting",
    type: "nat",
    hook: "postrouting",
    priority: ["srcnat", 100],
    rules: [{
      rule: "ip saddr 10.244.1.0/24 ip daddr != @cluster4 " +
        'oifname != "cni0" masquerade',
      why: "pods",
    }],
  };
  const step = nftChain("right", postrouting, cluster);
  const stage: Stage = { ...right, steps: () => [step] };
  const [wrong] = withWrongMasquerade(stage).steps?.({
    cluster: { ...cluster, firewall: "nftables" },
    node,
  }) ?? [];
  assert(wrong && "argv" in wrong.run);
  assert(wrong.key !== step.key);
  assertStringIncludes(
    wrong.run.stdin ?? "",
    'postrouting ip saddr 10.244.1.0/24 oifname != "cni0" masquerade comment',
  );
});
