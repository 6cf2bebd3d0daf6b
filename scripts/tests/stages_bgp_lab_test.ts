/** Two segments, and BIRD on every node and on the router between: BGP makes the routes, and each fault of it has its name. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { birdSteps } from "../../lib/bgp/steps.ts";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { startSystemd } from "../../lib/node/systemd_testing.ts";
import type { RunContext } from "../../lib/stage/context.ts";
import { apply } from "../../lib/stage/engine.ts";
import { undo } from "../../lib/stage/undo.ts";
import { findingsOn } from "./doctor_testing.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { nodeStages, stateOf } from "./stages_testing.ts";
import { traceHere } from "./trace_testing.ts";
import {
  clusterOf,
  follow,
  needsRoot,
  row,
  runAll,
  verified,
  verifiedWell,
} from "./verify_testing.ts";

/** The lab of two segments, of the test's own. */
async function twoSegments(name: string, password: string): Promise<TestLab> {
  const file = `${projectRoot}/config/lab-two-segments.yaml`;
  const text = await Deno.readTextFile(file);
  return await testLab(
    name,
    () =>
      text.replace("name: lab-two\n", `name: ${name}\n`)
        .replace("routes: vxlan", "routes: bgp")
        .replace(
          /^vxlan:\n( {2}.*\n)+/m,
          `bgp:\n  passwordFile: ${password}\n`,
        ),
  );
}

const conf = "/etc/bird/bird.conf";

/** Waits until a line of bird's has come. */
function until(command: string, text: string): string {
  return `i=0; until ${command} | grep -q '${text}'; do i=$((i + 1)); ` +
    "[ $i -lt 600 ] || exit 1; sleep 0.1; done";
}

const sessionDown = until(
  "birdc -r show protocols",
  "^to-worker-2 .* \\(Active\\|Connect\\|Idle\\)",
);

interface Fault {
  readonly name: string;
  readonly on: string;
  readonly make: string;
  /** What the doctor says of worker-1. */
  readonly said: string;
  /** What 09 and trace say, where that is not the same. */
  readonly cause?: string;
}

const withWorker2 = "the BGP session of worker-1 with worker-2 is down";
const port = "-p tcp -m tcp --dport 179 -j DROP";
const faults: readonly Fault[] = [
  {
    name: "port 179 dropped",
    on: "worker-1",
    make: `iptables -I INPUT -s 10.0.2.12/32 ${port}
      iptables -I OUTPUT -d 10.0.2.12/32 ${port}
      birdc restart "'to-worker-2'"`,
    said: withWorker2,
  },
  {
    name: "another number of the autonomous system, configured by hand",
    on: "worker-2",
    make: `sed -i 's/as 64512;/as 64600;/' ${conf}; birdc configure
      ${until("birdc -r show protocols", "Bad peer AS")}`,
    said: `${withWorker2} (bird says BGP Error: Bad peer AS): the other end ` +
      "says that it is AS 64600, and 64512 is expected",
    cause: `${conf} of worker-2 is not what stage 08 writes`,
  },
  {
    name: "another password",
    on: "worker-2",
    make: `sed -i 's/secret/word/' /etc/bird/deno-cni.password
      birdc configure; birdc restart all >/dev/null`,
    said: "the passwords differ",
  },
];

Deno.test({
  ...needsRoot,
  name:
    "BGP makes the matrix green on two segments in both families, each fault of it is named and mended by what " +
    "is advised, another's configuration is refused, and undo leaves nothing (needs root and bird)",
  ignore: needsRoot.ignore || !await isThere("/usr/sbin/bird"),
  async fn(t) {
    const password = await Deno.makeTempFile();
    await Deno.writeTextFile(password, "a secret of routers\n");
    await using lab = await twoSegments("bgp", password);
    await runAll(lab, ["01-provision"], ["02-kubeadm"]);
    const bare = await Promise.all(
      ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
    );
    const [last = "", ...first] = nodeStages.toReversed();
    await runAll(lab, ...first.toReversed().map((stage) => [stage]));
    await t.step("another's configuration is refused", async () => {
      await lab.on("worker-1", cmd`sh -c ${`echo '# mine' >${conf}`}`);
      const refused = await lab.script(last);
      assertEquals(refused.code, 1, refused.stdout);
      assertStringIncludes(
        refused.stderr,
        `${conf} holds something that this tool did not write`,
      );
      await lab.on("worker-1", cmd`cp /usr/share/bird2/bird.conf ${conf}`);
    });
    await runAll(lab, [last]);
    const again = await lab.report(last);
    assert(again.results.every(({ status }) => status === "ok"));
    assert(
      !JSON.stringify(again).includes("secret of"),
      "the password is told",
    );
    const seen = await verifiedWell(await clusterOf(lab));
    assert(seen.report.passed, seen.text);
    assertEquals(seen.report.paths.length, 36);
    assertEquals(row(seen, "pod → pod, other node")[0], "yes, as the pod");
    assertEquals(await findingsOn(lab, "sessions"), []);
    assertEquals(await findingsOn(lab, "routes"), []);
    const status = await lab.script("status");
    assertStringIncludes(status.stdout, "worker-1: 3 of 3 up");
    for (const fault of faults) {
      await t.step(fault.name, () => isNamed(lab, fault));
    }
    await t.step(
      "what must not be announced is not believed",
      () => isNotBelieved(lab),
    );
    await t.step("undo leaves nothing", async () => {
      await runAll(
        lab,
        ["09-verify", "--undo"],
        ...nodeStages.toReversed().map((stage) => [stage, "--undo"]),
      );
      const left = await Promise.all(
        ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
      );
      assertEquals(left, bare);
      for (const machine of ["worker-1", "router"]) {
        const script = `ls /run/bird 2>/dev/null; ip route show proto bird; ` +
          `ls /etc/bird; cmp ${conf} /usr/share/bird2/bird.conf`;
        const stdout = await lab.on(machine, cmd`sh -c ${script} || :`);
        assertEquals(stdout, "bird.conf\nenvvars\n");
      }
    });
    await t.step({
      name: "a unit of systemd is reloaded, and left as it was before",
      ignore: !await isThere("/lib/systemd/systemd"),
      fn: () => unitStaysAsItWas(lab),
    });
    await Deno.remove(password);
  },
});

const context: RunContext = {
  timeout_ms: 60_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: () => {},
};

/** bird as a unit of systemd, on a node that has none of ours. */
async function unitStaysAsItWas(lab: TestLab): Promise<void> {
  const cluster: Cluster = { ...await clusterOf(lab), provider: "ssh" };
  const [, worker] = cluster.nodes;
  assert(worker && cluster.bgp);
  const bare = lab.node("worker-1");
  await lab.on(
    "worker-1",
    cmd`cp /lib/systemd/system/bird.service /etc/systemd/system`,
  );
  await using machine = await startSystemd(bare);
  const { node } = machine;
  const on = async (script: string) => {
    const { code, stdout, stderr } = await node.run(cmd`sh -euc ${script}`);
    assertEquals(code, 0, `${script}: ${stdout}${stderr}`);
    return stdout.trim();
  };
  const state = () =>
    on(`for one in is-enabled is-active; do systemctl $one bird || :; done
      cmp ${conf} /usr/share/bird2/bird.conf; ls /etc/bird
      cat /var/lib/deno-cni/bird.service 2>/dev/null || :`);
  const pid = () => on("systemctl show -p MainPID --value bird");
  const { passwordFile: _, ...bgp } = cluster.bgp;
  const applied = async (as: number) => {
    const steps = birdSteps({ ...cluster, bgp: { ...bgp, as } }, worker);
    const results = await apply("08-routes", node, steps, context);
    return results.map(({ status, problem }) => problem ?? status);
  };
  for (const make of ["enable --now", "disable --now"]) {
    await on(`systemctl -q ${make} bird`);
    const before = await state();
    const first = await pid();
    assertEquals(await applied(64_512), ["ok", "changed", "changed"]);
    const running = await pid();
    if (make.startsWith("enable")) assertEquals(running, first);
    assertEquals(await applied(64_512), ["ok", "ok", "ok"]);
    assertEquals(await applied(65_001), ["ok", "changed", "changed"]);
    assertEquals(await pid(), running);
    // What bird does not take does not take the place of what it has read.
    const read = await on(`cksum ${conf}; birdc -r show status | grep Last`);
    const [, refused = ""] = await applied(0);
    assertStringIncludes(refused, `${conf}.new:`);
    assertStringIncludes(refused, `${conf} is as it was`);
    assertEquals(
      await on(`cksum ${conf}; birdc -r show status | grep Last`),
      read,
    );
    assertEquals(await on("ls /etc/bird"), "bird.conf\nenvvars");
    const results = await undo("08-routes", node, [], context);
    assertEquals(results.map(({ problem }) => problem), [
      undefined,
      undefined,
      undefined,
    ]);
    assertEquals(await state(), before);
    assertEquals(await pid(), first);
    assertEquals(await on("birdc -r show protocols | grep BGP || :"), "");
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function isNamed(lab: TestLab, fault: Fault): Promise<void> {
  const { on, make, said, cause = said } = fault;
  const cluster = await clusterOf(lab);
  await lab.on(on, cmd`sh -c ${make}`);
  await lab.on("worker-1", cmd`sh -euc ${sessionDown}`);
  // bird's word for why may need another try of its.
  const end_ms = performance.now() + 60_000;
  for (;;) {
    const told = await toldOf(lab, "sessions");
    if (told.includes(said)) break;
    if (performance.now() > end_ms) assertStringIncludes(told, said);
  }
  const [seen, followed] = await Promise.all([
    verified(cluster, ["worker-1", "worker-2"]),
    traceHere(cluster, "worker-1/shell", "worker-2/web"),
  ]);
  assert(!seen.report.passed, seen.text);
  const causes = seen.report.causes.map(({ what }) => what).join("\n");
  assertStringIncludes(causes, cause, seen.text);
  assertStringIncludes(followed.cause?.what ?? "nothing", cause);
  for (const line of followed.cause?.mend ?? []) await follow(lab, line);
  await areUp(lab);
}

/** Waits until worker-1 has all of its sessions; then nothing is left to be told of them. */
async function areUp(lab: TestLab): Promise<void> {
  const sessions = ["to-master", "to-worker-2", "peer:10.0.1.2"].map((name) =>
    until("birdc -r show protocols", `^${name} .* Established`)
  );
  await lab.on("worker-1", cmd`sh -euc ${sessions.join("; ")}`);
  assertEquals(await findingsOn(lab, "sessions"), []);
}

/** What a check of the doctor says of worker-1. */
async function toldOf(lab: TestLab, check: string): Promise<string> {
  const found = await findingsOn(lab, check);
  return found.flatMap((one) => "what" in one ? [one.what] : []).join("\n");
}

/** What bird must not believe does not come into the kernel, and who tells it is told. */
async function isNotBelieved(lab: TestLab): Promise<void> {
  const wrong = ["0.0.0.0/0", "10.244.1.0/24", "10.244.0.7/32", "192.0.2.0/24"];
  const routes = wrong.map((to) => `route ${to} blackhole;`).join(" ");
  const part = `protocol static announced_wrong { ipv4; ${routes} }`;
  await lab.on(
    "worker-2",
    cmd`sh -euc ${`echo '${part}' >>${conf}
      sed -i 's/if proto = "announced_4"/if proto ~ "announced*"/' ${conf}
      birdc configure`}`,
  );
  const filtered = wrong.map((to) =>
    until("birdc -r show route filtered", `^${to} `)
  );
  const shows = `${filtered.join("; ")}; ip route show proto bird`;
  const kernel = await lab.on("worker-1", cmd`sh -euc ${shows}`);
  for (const to of wrong) assert(!kernel.includes(`${to} `), kernel);
  assertStringIncludes(
    await toldOf(lab, "sessions"),
    "worker-2 announces 10.244.1.0/24, which is worker-1's podCIDR, as worker-1 does",
  );
  await lab.on(
    "worker-1",
    cmd`ip route add 10.244.2.0/24 via 10.0.1.2 proto static`,
  );
  assertStringIncludes(
    await toldOf(lab, "routes"),
    "the route to the pods of worker-2 (10.244.2.0/24) is not bird's (proto static",
  );
  await lab.on("worker-1", cmd`ip route del 10.244.2.0/24 proto static`);
  await runAll(lab, ["08-routes", "--node", "worker-2"]);
  await areUp(lab);
}
