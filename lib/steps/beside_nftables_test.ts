// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import type { Step } from "../stage/stage.ts";
import { besideNftables, leftOfIptables } from "./beside_nftables.ts";
import { ruleIs } from "./probes.ts";

const rule = cmd`-d 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT`.argv;
const check = cmd`iptables -w -t filter -C FORWARD ${rule}`;
const [step, byNft] = besideNftables({
  step: { why: "pods", run: cmd`iptables -w -t filter -I FORWARD ${rule}` },
  undo: cmd`iptables -w -t filter -D FORWARD ${rule}`,
  ...{ check, clusterCIDR: "10.244.0.0/16", direction: "-d" },
});

function readOf(one: Step | undefined) {
  return (code: number, stdout: string, stderr = "") => {
    assert(one?.doneWhen);
    return one.doneWhen.read({ code, stdout, stderr });
  };
}

const read = readOf(step);

const none =
  "iptables: Bad rule (does a matching rule exist in that chain?).\n";
const own = `-A FORWARD ${rule.join(" ")}\n`;

Deno.test("a rule goes into FORWARD where that chain may drop, and nowhere else", () => {
  const dropping = "-P FORWARD DROP\n";
  const jumping = "-P FORWARD ACCEPT\n-A FORWARD -j DOCKER-USER\n";
  const open = "-P FORWARD ACCEPT\n";
  assertEquals(read(1, dropping, none), { is: "absent" });
  assertEquals(read(0, dropping + own), { is: "present", ours: true });
  assertEquals(read(1, jumping, none), { is: "absent" });
  assertEquals(read(1, open, none), { is: "unneeded", ours: false });
  assertEquals(read(0, open + own), { is: "unneeded", ours: true });
  assertEquals(read(46, ""), { is: "unneeded", ours: false });
  assertEquals(read(4, "", "Permission denied").is, "unknown");
});

Deno.test("without iptables nothing is asked of it, now and at boot", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["sh", "grep"]) {
    await Deno.symlink(`/bin/${name}`, `${folder}/${name}`);
  }
  const env = { PATH: folder };
  assert(step?.doneWhen && step.atBoot);
  assertEquals((await run(step.doneWhen.ask, { env })).code, 46);
  const boot = await run(step.atBoot, { env });
  assertEquals([boot.code, boot.stdout + boot.stderr], [0, ""]);
  const masquerade = leftOfIptables(
    { why: "way out", run: step.run, doneWhen: ruleIs(check) },
    "10.244.1.0/24",
  ).doneWhen;
  assert(masquerade);
  const left = await run(masquerade.ask, { env });
  assertEquals(masquerade.read(left), { is: "unneeded", ours: false });
  await Deno.remove(folder, { recursive: true });
});

/** A rule of the chain FORWARD, as nft 1.0.6 prints one that iptables made, or nft. */
function inForward(field: string, by: "iptables" | "nft" | "unmarked") {
  const at = { family: "ip", table: "filter", chain: "FORWARD", handle: 3 };
  const xt = { xt: { type: "match", name: "comment" } };
  return {
    rule: {
      ...at,
      ...(by === "nft" ? { comment: "deno-cni" } : {}),
      expr: [
        {
          match: {
            ...{ op: "==", left: { payload: { protocol: "ip", field } } },
            right: { prefix: { addr: "10.244.0.0", len: 16 } },
          },
        },
        ...(by === "iptables" ? [xt] : []),
        { counter: { packets: 648, bytes: 95264 } },
        { accept: null },
      ],
    },
  };
}

Deno.test("where iptables is gone, its chain in nftables takes the rule from nft where it may drop", () => {
  const read = readOf(byNft);
  const chain = (policy: string, ...rules: object[]) =>
    JSON.stringify({
      nftables: [{
        chain: {
          ...{ family: "ip", table: "filter", name: "FORWARD", policy },
          ...{ hook: "forward", type: "filter", prio: 0 },
        },
      }, ...rules],
    });
  const there = { is: "present", ours: true } as const;
  assertEquals(read(46, ""), { is: "unneeded", ours: false });
  assertEquals(read(0, chain("drop")), { is: "absent" });
  for (const by of ["iptables", "nft"] as const) {
    const [own, other] = [inForward("daddr", by), inForward("saddr", by)];
    assertEquals(read(0, chain("drop", other)), { is: "absent" });
    assertEquals(read(0, chain("drop", other, own)), there);
    assertEquals(read(0, chain("accept", other, own)), {
      ...{ is: "unneeded", ours: true },
    });
  }
  const foreign = inForward("daddr", "unmarked");
  assertEquals(read(0, chain("drop", foreign)), { is: "absent" });
  assertEquals(read(0, chain("accept", foreign)), { is: "absent" });
  assertEquals(read(0, "no JSON").is, "unknown");
});
