/** firewall: nftables: the rules of 06 and 07 as a table of their own, from up to undo and back to iptables. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, succeeded, withInput } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import type { Stage } from "../../lib/stage/stage.ts";
import { forwarding } from "../06-forwarding.ts";
import { masquerade } from "../07-masquerade.ts";
import { findingsOn } from "./doctor_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { nodeStages } from "./stages_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  runAll,
  verified,
  verifiedWell,
} from "./verify_testing.ts";

const [own, other] = ["worker-1", "worker-2"];

/** The lab of both families, of the test's own. */
async function nftablesLab(name: string): Promise<TestLab> {
  const file = `${projectRoot}/config/lab-dual.yaml`;
  const text = await Deno.readTextFile(file);
  return await testLab(name, () =>
    text.replace(
      "name: lab-dual\n",
      `name: ${name}\nfirewall: nftables\n`,
    ));
}

/** All rules of a node, without their counters, handles and comments of the listing. */
async function rulesOn(lab: TestLab, node: string): Promise<string> {
  const script = "iptables-save; ip6tables-save; nft list ruleset";
  const text = await lab.on(node, cmd`sh -c ${script}`);
  return text.replace(/^#.*\n/gm, "")
    .replace(/\[\d+:\d+\]|counter packets \d+ bytes \d+ /g, "");
}

/** Each of these is seen by status, and mended by the stage. */
const drifts = [
  ["07-masquerade", "nft flush chain inet deno_cni postrouting"],
  ["06-forwarding", "nft chain inet deno_cni forward '{ policy drop; }'"],
  [
    "06-forwarding",
    "nft add element inet deno_cni cluster4 '{ 192.0.2.0/24 }'",
  ],
  ["07-masquerade", "nft delete table inet deno_cni"],
  ["06-forwarding", "true"],
  [
    "07-masquerade",
    "nft add table inet deno_cni '{ flags dormant; }'",
    `nft add table inet deno_cni '{ comment "deno-cni"; }'`,
  ],
] as const;

async function seesDrift(lab: TestLab): Promise<void> {
  for (const [stage, script, mends] of drifts) {
    await lab.on(own, cmd`sh -euc ${script}`);
    const { results } = await lab.report(stage, "--node", own);
    assertEquals(
      results.filter(({ status }) => status === "changed")
        .map(({ command }) => command),
      [
        mends ??
          `nft -f - (the chain inet deno_cni ${
            stage === "06-forwarding" ? "forward" : "postrouting"
          })`,
      ],
      script,
    );
  }
}

/** What the boot does again, of these stages; run as it would be at boot. */
async function restores(lab: TestLab): Promise<void> {
  const cluster = await clusterOf(lab);
  const node = cluster.nodes.find(({ name }) => name === own);
  assert(node);
  const before = await rulesOn(lab, own);
  const files = [forwarding, masquerade].map((stage: Stage) => {
    const steps = stage.steps?.({
      cluster: { ...cluster, provider: "ssh" },
      node,
    });
    const last = steps?.at(-1)?.run;
    assert(last && "argv" in last);
    return [stage.name, last.stdin ?? ""] as const;
  });
  const boot = `${projectRoot}/lib/steps/boot.sh`;
  const folder = "/run/boot-test";
  for (const [name, text] of files) {
    const put = `mkdir -p ${folder}/boot.d; cat >${folder}/boot.d/${name}.sh`;
    const outcome = await lab.node(own).run(
      withInput(cmd`sh -euc ${put}`, text),
    );
    assert(succeeded(outcome), outcome.stderr);
  }
  const flush =
    "nft delete table inet deno_cni; iptables -F FORWARD; ip6tables -F FORWARD";
  await lab.on(own, cmd`sh -euc ${flush}`);
  const again = `cp ${boot} ${folder}/boot.sh; sh ${folder}/boot.sh >&2`;
  await lab.on(own, cmd`sh -euc ${again}`);
  assertEquals(sorted(await rulesOn(lab, own)), sorted(before));
  await lab.on(own, cmd`sh -euc ${again}`);
  assertEquals(sorted(await rulesOn(lab, own)), sorted(before));
  await lab.on(own, cmd`rm -r ${folder}`);
}

/** The two rules for one chain go in front of each other. */
function sorted(rules: string): string[] {
  return rules.split("\n").toSorted();
}

/** FORWARD of iptables is at DROP in a lab: its rules are needed, too. */
async function countsOnForward(lab: TestLab): Promise<void> {
  const { stdout, stderr } = await lab.script("06-forwarding");
  assert(!stdout.includes("changed  "), stdout);
  // Nothing of it drops, as long as they are there.
  assert(!stderr.includes(" drops what is forwarded"), stderr);
  await lab.on(own, cmd`iptables -F FORWARD`);
  const found = await findingsOn(lab, "forward-chain");
  assertEquals(found.length, 1);
  // Where it is open, the rules have no use, and go.
  const open =
    "for tool in iptables ip6tables; do $tool -P FORWARD ACCEPT; done";
  await lab.on(other, cmd`sh -euc ${open}`);
  const went = await lab.report("06-forwarding");
  const on = (node: string) =>
    went.results.filter((one) => one.node === node && one.status === "changed")
      .map(({ command }) => command.replace(/ -w -t filter /, " "));
  assertEquals(on(own).map((line) => line.slice(0, 19)), [
    "iptables -I FORWARD",
    "iptables -I FORWARD",
  ]);
  assertEquals(on(other).length, 4);
  assert(on(other).every((line) => line.includes(" -D FORWARD ")));
  await hasNoIptables(lab);
}

/** The program goes from one node, in its own mounts. */
async function hasNoIptables(lab: TestLab): Promise<void> {
  const hide = "cp -a /etc/alternatives /run/alternatives; " +
    "rm /run/alternatives/ip*tables*; " +
    "mount --bind /run/alternatives /etc/alternatives; " +
    "! command -v iptables && ! command -v ip6tables";
  await lab.on(other, cmd`sh -euc ${hide}`);
  for (const stage of ["06-forwarding", "07-masquerade"]) {
    const { results } = await lab.report(stage, "--node", other);
    assert(results.every(({ status }) => status === "ok"), stage);
  }
  const seen = await verifiedWell(await clusterOf(lab));
  assert(seen.report.passed, seen.text);
  assertStringIncludes(seen.text, "pod → own service");
  await leavesItsChain(lab);
  await lab.on(other, cmd`umount /etc/alternatives`);
  // The programs know the rules for theirs.
  const { results } = await lab.report("06-forwarding", "--node", other);
  assert(results.every(({ status }) => status === "ok"));
  assertEquals(
    results.filter(({ command }) => command.includes(" -I FORWARD ")).length,
    4,
  );
}

/** Its chains stayed where it went, and drop: nft puts the rules there. */
async function leavesItsChain(lab: TestLab): Promise<void> {
  const shut = ["ip", "ip6"].map((family) =>
    `nft 'chain ${family} filter FORWARD { policy drop; }'`
  ).join("; ");
  await lab.on(other, cmd`sh -euc ${shut}`);
  const [finding, ...more] = await findingsOn(lab, "nftables", other);
  assertEquals(more.length, 1);
  assertStringIncludes(JSON.stringify(finding), "make 06-forwarding");
  const { stderr } = await lab.script("06-forwarding", "--node", other);
  assertStringIncludes(
    stderr,
    `the chain ip6 filter FORWARD on ${other} drops what is forwarded`,
  );
  const { results } = await lab.report("06-forwarding", "--node", other);
  const inserted = results.filter(({ command }) =>
    command.startsWith("nft insert rule ip")
  );
  assertEquals(inserted.map(({ status }) => status), Array(4).fill("ok"));
  assertEquals(await findingsOn(lab, "nftables", other), []);
}

/** A firewall in a table of its own rejects: it is named, and mended as is advised. */
async function isBesideFirewall(lab: TestLab): Promise<void> {
  const rules = `table inet firewalld {
    chain filter_FORWARD {
      type filter hook forward priority filter + 10; policy accept
      ct state { established, related } accept
      ip6 daddr { ::/96, ::ffff:0.0.0.0/96 } reject
      iifname vmap { "cni0" : goto inner, "eth0" : goto outer }
      drop
    }
    chain inner { oifname "eth0" accept; ct state invalid drop; reject; }
    chain outer { reject; }
    chain filter_INPUT {
      type filter hook input priority filter + 10; policy drop
      ct state { established, related } accept
      meta l4proto { icmp, ipv6-icmp } accept
    }
  }
  table ip asleep { flags dormant
    chain f { type filter hook forward priority filter; policy drop; }
  }`.replaceAll("; }", "; }\n");
  const loaded = await lab.node(own).run(withInput(cmd`nft -f -`, rules));
  assert(succeeded(loaded), loaded.stderr);
  const { stderr } = await lab.script("06-forwarding", "--node", own);
  assertStringIncludes(
    stderr,
    "the chain inet firewalld filter_FORWARD (in its chain outer) on worker-1",
  );
  assert(!stderr.includes("asleep"), stderr);
  // Which of the two it is depends on whether there are pods just now.
  const found = [
    ...await findingsOn(lab, "packet-path"),
    ...await findingsOn(lab, "nftables"),
  ].map(({ what }) => what).join("\n");
  assert(/firewalld outer| \(in its chain outer\)/.test(found), found);
  const cluster = await clusterOf(lab);
  const { text, report: { causes } } = await verified(cluster);
  assertStringIncludes(text, "a rule of the chain inet firewalld outer");
  assertStringIncludes(text, "the policy of the chain inet firewalld");
  assert(!text.includes("asleep"), text);
  for (const { mend } of causes.filter(({ what }) => what.includes(" rule "))) {
    for (const line of mend) await follow(lab, line);
  }
  await lab.on(own, cmd`nft flush chain inet firewalld filter_INPUT`);
  const open = "nft chain inet firewalld filter_INPUT '{ policy accept; }'";
  await lab.on(own, cmd`sh -euc ${open}`);
  const after = await verifiedWell(cluster);
  assert(after.report.passed, after.text);
  const clean = "nft delete table inet firewalld; nft delete table ip asleep";
  await lab.on(own, cmd`sh -euc ${clean}`);
}

/** What is wrong with the table is named, and mended as is advised. */
async function isNamed(lab: TestLab): Promise<void> {
  const wrong = "nft flush chain inet deno_cni postrouting; " +
    "nft add rule inet deno_cni postrouting ip saddr 10.244.1.0/24 " +
    "oifname != cni0 masquerade";
  await lab.on(own, cmd`sh -euc ${wrong}`);
  await lab.on(other, cmd`nft delete chain inet deno_cni postrouting`);
  const cluster = await clusterOf(lab);
  const seen = await verified(cluster);
  assert(!seen.report.passed, seen.text);
  assertStringIncludes(seen.text, "a rule of worker-1 also rewrites");
  assertStringIncludes(seen.text, "worker-2 does not masquerade");
  // Of IPv4 it rewrites too much, of IPv6 nothing.
  const found = await findingsOn(lab, "masquerade");
  assertEquals(found.length, 2);
  for (const { mend } of seen.report.causes) {
    for (const line of mend) await follow(lab, line);
  }
  const after = await verifiedWell(cluster);
  assert(after.report.passed, after.text);
}

/** From one to the other and back: what is left is what was. */
async function changes(lab: TestLab): Promise<void> {
  const before = sorted(await rulesOn(lab, own));
  const text = await Deno.readTextFile(lab.file);
  const rules = [["06-forwarding"], ["07-masquerade"]];
  await Deno.writeTextFile(
    lab.file,
    text.replace("firewall: nftables", "firewall: iptables"),
  );
  const { results } = await lab.report("07-masquerade", "--node", own);
  const changed = results.filter(({ status }) => status === "changed");
  // The new ones first.
  assertEquals(
    changed.map(({ command }) =>
      /^(iptables|ip6tables|nft) .*?(-A|delete)/.exec(command)?.[2]
    ),
    ["-A", "-A", "delete"],
  );
  await runAll(lab, ...rules);
  const between = await rulesOn(lab, own);
  assert(!between.includes("deno_cni"), between);
  assertStringIncludes(between, "-j MASQUERADE");
  await Deno.writeTextFile(lab.file, text);
  await runAll(lab, ...rules);
  const after = sorted(await rulesOn(lab, own));
  assertEquals(after.filter(isOfUs), before.filter(isOfUs));
  const { results: again } = await lab.report("07-masquerade");
  assert(again.every(({ status }) => status === "ok"));
}

/** Chains of iptables stay behind, empty. */
function isOfUs(line: string): boolean {
  return /deno.cni|-A /.test(line);
}

Deno.test({
  ...needsRoot,
  name:
    "firewall: nftables makes the matrix green in both families; its drift is seen and mended, a boot and a change of the key leave nothing double, undo leaves nothing (needs root)",
  async fn(t) {
    await using lab = await nftablesLab("nftables");
    await runAll(lab, ["01-provision"], ["02-kubeadm"]);
    const bare = await rulesOn(lab, own);
    await runAll(lab, ...nodeStages.map((stage) => [stage]));
    const seen = await verifiedWell(await clusterOf(lab));
    assert(seen.report.passed, seen.text);
    assertEquals(seen.report.paths.length, 36);
    assertEquals(await findingsOn(lab, "masquerade"), []);
    await t.step("drift of each kind", () => seesDrift(lab));
    await t.step("faults have their names", () => isNamed(lab));
    await t.step("done again at boot", () => restores(lab));
    await t.step("FORWARD of iptables", () => countsOnForward(lab));
    await t.step("another firewall's table", () => isBesideFirewall(lab));
    await t.step("to iptables and back", () => changes(lab));
    await t.step("undo leaves nothing", async () => {
      await runAll(lab, ["09-verify", "--undo"]);
      const stages = nodeStages.toReversed();
      await runAll(lab, ...stages.map((stage) => [stage, "--undo"]));
      const left = await rulesOn(lab, own);
      assertEquals(
        left.split("\n").filter(isOfUs),
        bare.split("\n").filter(isOfUs),
      );
      assert(!left.includes("deno_cni"), left);
    });
  },
});
