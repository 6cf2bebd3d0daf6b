/** Two families on a whole lab: each has its own forwarding, rules and routes, and each fault its own name. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import type { CauseKind } from "../../lib/diagnosis/cause.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { stateOf } from "./stages_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  row,
  runAll,
  verified,
  verifiedWell,
} from "./verify_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

/** A lab of both families, of the test's own. */
async function dualLab(name: string): Promise<TestLab> {
  const file = `${projectRoot}/config/lab-dual.yaml`;
  const text = await Deno.readTextFile(file);
  return await testLab(
    name,
    () => text.replace("name: lab-dual\n", `name: ${name}\n`),
  );
}

const labels = [
  "pod → own node",
  "pod → other node",
  "pod → pod, same node",
  "pod → pod, other node",
  "pod → outside",
  "node → its pod",
  "other node → pod",
];

Deno.test({
  ...needsRoot,
  name:
    "both families are open after the same stages, the routes change their kind, 09's dry run tries both families, " +
    "and --undo closes both (needs root)",
  async fn(t) {
    await using lab = await dualLab("dual-stages");
    await runAll(lab, ["01-provision"], ["02-kubeadm"], ["03-cni-config"]);
    await runAll(lab, ["04-bridge"], ["05-plugin"]);
    const cluster = await clusterOf(lab);
    const seen = async () => {
      const one = await verifiedWell(cluster);
      assert(one.report.passed, one.text);
      // Cells that differed by family would be in rows by family.
      assertEquals(one.report.paths.length, 36);
      return labels.map((label) => row(one, label)[0]);
    };
    const after05 = [
      "yes",
      "no, until 07",
      "no, until 06",
      "no, until 08",
      "no, until 07",
      "yes",
      "no, until 08",
    ];
    assertEquals(await seen(), after05);
    await runAll(lab, ["06-forwarding"]);
    assertEquals(await seen(), after05.with(2, "yes"));
    await runAll(lab, ["07-masquerade"]);
    const after07 = after05.with(1, "yes, as the node").with(2, "yes")
      .with(4, "yes, as the node");
    assertEquals(await seen(), after07);
    await runAll(lab, ["08-routes"]);
    const whole = after07.with(3, "yes, as the pod")
      .with(6, "yes, as that node");
    assertEquals(await seen(), whole);

    const { report } = await verified(cluster);
    assertEquals(
      report.pods.map(({ addresses }) =>
        addresses.web?.map((address) => address.includes(":"))
      ),
      [[false, true], [false, true]],
    );

    await t.step("the routes change their kind", () => changeKinds(lab));
    await runDryRun(lab);
    const again = await lab.report("08-routes");
    assertEquals(again.recap["worker-1"]?.changed, 0);
    await runAll(lab, ["07-masquerade", "--undo"], ["06-forwarding", "--undo"]);
    const key = "net.ipv6.conf.all.forwarding";
    assertEquals(await lab.on("worker-1", cmd`sysctl -n ${key}`), "0\n");
    assertEquals(
      await lab.on("worker-1", cmd`ip6tables -S FORWARD`),
      "-P FORWARD DROP\n",
    );
  },
});

/** A kind of routes, and what is on worker-1 of it, in words of ip's and of the file system's. */
interface Kind {
  readonly file: string;
  readonly there: readonly string[];
}

const kinds: readonly Kind[] = [{
  file: "routes: vxlan\nvxlan: {direct: false}\n",
  there: ["dev deno.vxlan proto 244", "nud permanent"],
}, {
  file: "routes: bgp\n",
  there: ["proto bird", "bird.ctl", "# deno-cni: written by stage 08"],
}, { file: "routes: host\n", there: ["proto 244"] }];

const kindState = "ip route show; ip -6 route show; " +
  "ip neigh show nud permanent dev deno.vxlan 2>/dev/null | sed 's/$/ nud permanent/'; " +
  "ls /run/bird 2>/dev/null; head -n 1 /etc/bird/bird.conf 2>/dev/null; :";

/**
 * From host routes over the other kinds and back: a dry run prints what the run
 * then does, nothing of the old kind is left, and all paths are open.
 */
async function changeKinds(lab: TestLab): Promise<void> {
  const first = await stateOf(lab, "worker-1");
  const text = await Deno.readTextFile(lab.file);
  const bird = await lab.node("worker-1").run(cmd`sh -c ${"command -v bird"}`);
  for (const { file, there } of kinds) {
    if (file.includes("bgp") && bird.code !== 0) continue;
    await Deno.writeTextFile(lab.file, `${text}\n${file}`);
    const planned = await lab.script("08-routes", "--dry-run", "-o", "json");
    assertEquals(planned.code, 0, file + planned.stderr);
    const { results } = await lab.report("08-routes");
    assert(results.every(({ problem }) => problem === undefined), file);
    const done = results.filter(({ status }) => status === "changed");
    for (const { node, steps } of JSON.parse(planned.stdout) as DryRun) {
      if (node === "operator") continue; // It waits, and may find nothing to wait for.
      assertEquals(
        steps.map(({ run }) => run.label ?? run.argv.join(" ")),
        done.filter((one) => one.node === node).map(({ command }) => command),
        file,
      );
    }
    const state = await lab.on("worker-1", cmd`sh -c ${kindState}`);
    for (const kind of kinds) {
      for (const words of kind.there) {
        const expected = there.includes(words) ||
          // Host routes and those of tunnels are both ours.
          words === "proto 244" && file.includes("vxlan");
        assertEquals(state.includes(words), expected, `${file}${words}`);
      }
    }
    const seen = await verifiedWell(await clusterOf(lab));
    const lost = seen.report.paths.filter(({ asExpected }) => !asExpected);
    assertEquals(lost, [], file + seen.text);
    if (file.includes("vxlan")) {
      // They are from before the tunnels.
      const wide =
        "pods of worker-1 send packets of 1500 bytes, and the tunnel";
      assertStringIncludes(seen.text, wide);
    } else assert(seen.report.passed, file + seen.text);
  }
  assertEquals(await stateOf(lab, "worker-1"), first);
  await Deno.writeTextFile(lab.file, text);
}

/** What a dry run gives as data. */
type DryRun = readonly {
  readonly node: string;
  readonly steps: readonly {
    readonly run: { readonly argv: readonly string[]; readonly label?: string };
  }[];
}[];

/** Takes the pods away, and runs what 09 says that it would do. */
async function runDryRun(lab: TestLab): Promise<void> {
  await runAll(lab, ["09-verify", "--undo"]);
  const { stdout } = await lab.script("09-verify", "--dry-run");
  const outcome = await run({ argv: ["sh", "-eu"], stdin: stdout });
  assertEquals(outcome.code, 0, outcome.stderr);
  const answers = outcome.stdout.trim().split("\n");
  assertEquals(answers.length, 36);
  for (const answer of answers) {
    // Each receiver saw an address of the family by which it was called.
    const seen = /^0 http:\S+ (\[::ffff:[0-9.]+\]|\[[0-9a-f:]+\])$/;
    assert(seen.test(answer), answer);
    const six = answer.includes("http://[");
    assertEquals(answer.includes("[::ffff:"), !six, answer);
  }
}

/** A thing of IPv6 to take away by hand on worker-1, and what 09 must say of it. */
interface Fault {
  readonly name: string;
  readonly break: string;
  readonly kinds: readonly CauseKind[];
  readonly says: string;
  readonly shows: string;
}

const faults: readonly Fault[] = [
  {
    name: "forwarding is switched off",
    break: "sysctl -w net.ipv6.conf.all.forwarding=0",
    kinds: ["forwarding"],
    says: "net.ipv6.conf.all.forwarding is off",
    shows: "0",
  },
  {
    name: "the FORWARD rules are flushed",
    break: "ip6tables -w -F FORWARD",
    kinds: ["rule"],
    says: "lacks 2 rules of 06-forwarding",
    shows: "ip6tables -w -t filter -C FORWARD -s fd00:10:244::/56",
  },
  {
    name: "somebody's rule drops what pods send",
    break: "ip6tables -w -I FORWARD -s fd00:10:244:1::/64 -j DROP",
    kinds: ["rule"],
    says: "a rule of worker-1 that is not this tool's says DROP",
    shows: "-A FORWARD -s fd00:10:244:1::/64 -j DROP",
  },
  {
    name: "the rule in nat is gone",
    break: "ip6tables -w -t nat -F POSTROUTING",
    kinds: ["masquerade"],
    says: "its rule in nat POSTROUTING of ip6tables is gone",
    shows: "POSTROUTING -s fd00:10:244:1::/64",
  },
  {
    name: "the rule in nat is the one that circulates",
    break: "ip6tables -w -t nat -F POSTROUTING; ip6tables -w -t nat " +
      "-A POSTROUTING -s fd00:10:244:1::/64 ! -o cni0 -j MASQUERADE",
    kinds: ["masquerade"],
    says: "rule of no NAT between pods is broken",
    shows: "-A POSTROUTING -s fd00:10:244:1::/64 ! -o cni0 -j MASQUERADE",
  },
  {
    name: "a route is gone",
    break: "ip route del fd00:10:244:2::/64",
    kinds: ["route"],
    says: "worker-1 has no route to the pods of worker-2 (fd00:10:244:2::/64)",
    shows: "[]",
  },
  {
    name: "the bridge has no address",
    break: "ip addr del fd00:10:244:1::1/64 dev cni0",
    kinds: ["bridge-address"],
    says: "lacks fd00:10:244:1::1/64",
    shows: `"addresses":["10.244.1.1/24"`,
  },
  {
    name: "a pod has no default route",
    break: "nsenter --net=/run/netns/shell ip -6 route del default",
    kinds: ["pod-route"],
    says: "pod shell on worker-1 has no default route",
    shows: "fd00:10:244:1::/64",
  },
  {
    name: "the node has no default route",
    break: "ip -6 route del default",
    kinds: ["node-route"],
    says: "worker-1 has no default route",
    shows: "fd00:10:244:2::/64",
  },
  {
    name: "the node's link was down for a moment, and lost its address",
    break: "ip link set eth0 down; ip link set eth0 up; " +
      "ip route add default via 10.0.1.1; " +
      "ip route add 10.244.0.0/24 via 10.0.1.10 proto 244; " +
      "ip route add 10.244.2.0/24 via 10.0.1.12 proto 244",
    kinds: ["segment"],
    says: "no link of worker-1 has its address fd00:10:0:1::11",
    shows: "eth0",
  },
];

Deno.test({
  ...needsRoot,
  name:
    "each thing of IPv6 taken away by hand is named, leaves IPv4 alone, and is mended as advised (needs root)",
  async fn(t) {
    await using lab = await dualLab("dual-faults");
    await runAll(lab, ["up"]);
    const cluster = await clusterOf(lab);
    for (const fault of faults) {
      const well = await t.step(fault.name, async () => {
        await lab.on("worker-1", cmd`sh -euc ${fault.break}`);
        const { report, text } = await verified(cluster);
        assertEquals(report.causes.map(({ kind }) => kind), fault.kinds, text);
        const [cause] = report.causes;
        assert(cause);
        assertStringIncludes(cause.what, fault.says, text);
        const printed = cause.evidence
          .map(({ command, printed }) => `${command}\n${printed}`).join("\n");
        assertStringIncludes(printed, fault.shows, text);
        const hurt = report.paths.filter(({ asExpected }) => !asExpected)
          .map(({ family }) => family);
        assertEquals(new Set(hurt), new Set([6]), text);
        assertStringIncludes(text, ", IPv6", text);
        for (const advice of cause.mend) await follow(lab, advice, cluster);
      });
      if (!well) return; // What was not mended would be seen by all others.
    }
    const { report, text } = await verifiedWell(cluster);
    assert(report.passed, text);
  },
});
