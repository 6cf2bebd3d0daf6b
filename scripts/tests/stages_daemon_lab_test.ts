/** The plugin's daemon as stage 05 starts it: a process of a lab's nodes, a unit where systemd runs. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { usualPlugin } from "../../lib/cluster/schema_plugin.ts";
import { cmd, type Command, succeeded } from "../../lib/exec/command.ts";
import type { Node } from "../../lib/node/node.ts";
import { startSystemd, systemdTest } from "../../lib/node/systemd_testing.ts";
import { findingsOn } from "./doctor_testing.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { daemonSteps } from "../../lib/packaging/daemon_steps.ts";
import { daemonUnit } from "../../lib/packaging/daemon_unit.ts";
import { apply } from "../../lib/stage/engine.ts";
import { undo } from "../../lib/stage/undo.ts";
import type { RunContext } from "../../lib/stage/context.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { done } from "./stages_testing.ts";

const folder = "/run/deno-cni/daemon";
const launcher = "/opt/cni/bin/deno-cni";

async function must(node: Node, command: Command): Promise<string> {
  const outcome = await node.run(command);
  if (succeeded(outcome)) return outcome.stdout;
  throw new Error(`${command.argv.join(" ")}: ${outcome.stderr}`);
}

async function labWith(name: string, plugin: string): Promise<TestLab> {
  const lab = await testLab(
    name,
    (text) => text.replace("nodes:\n", `plugin: ${plugin}\nnodes:\n`),
  );
  for (const stage of ["01-provision", "02-kubeadm", "03-cni-config"]) {
    done(await lab.script(stage));
  }
  return lab;
}

/** What the doctor says of the daemon on worker-1. */
async function findings(lab: TestLab): Promise<string[]> {
  return (await findingsOn(lab, "daemon"))
    .map(({ is, what }) => `${is}: ${what}`);
}

/** The daemon of the installed version on worker-1; undefined where none lives. */
function pidOf(lab: TestLab): Promise<number | undefined> {
  return pidOn(lab.node("worker-1"));
}

async function pidOn(node: Node): Promise<number | undefined> {
  // By the file that a launcher goes by: it is there once the daemon serves.
  const script = `version=$(sed -n 's/^version=//p' ${launcher} 2>/dev/null)
    [ -f "${folder}/$version" ] || exit 0
    read -r pid call folder <"${folder}/$version"
    [ ! "/proc/$pid/fd/$call" -ef "$folder/call" ] || echo "$pid"`;
  const said = (await must(node, cmd`sh -c ${script}`)).trim();
  return said === "" ? undefined : Number(said);
}

rooted(
  "a lab whose cluster file asks for it has the plugin's daemon, its log, and what is wrong with it told",
  async () => {
    await using lab = await labWith(
      "t-daemon",
      "{ daemon: true, logFile: /var/log/deno-cni.log, logLevel: debug }",
    );
    done(await lab.script("04-bridge"));
    done(await lab.script("05-plugin"));
    const pid = await pidOf(lab);
    assert(pid !== undefined);
    const again = await lab.report("05-plugin");
    assertEquals(again.recap["worker-1"]?.changed, 0);
    for (const stage of ["06-forwarding", "07-masquerade", "08-routes"]) {
      done(await lab.script(stage));
    }
    done(await lab.script("09-verify"));
    const figures = await lab.on("worker-1", cmd`${launcher} metrics`);
    assertStringIncludes(figures, '{command="ADD",code="0"}');
    const log = await lab.on("worker-1", cmd`cat /var/log/deno-cni.log`);
    assertStringIncludes(log, "command=ADD");
    assertStringIncludes(log, "input=");
    const status = (await lab.script("status")).stdout;
    assertStringIncludes(status, "master, worker-1, worker-2: of version ");
    assertEquals(await findings(lab), []);

    await lab.on("worker-1", cmd`chmod 755 ${folder}`);
    const [open = ""] = await findings(lab);
    assertStringIncludes(open, `fault: ${folder} has the mode 755`);
    await lab.on("worker-1", cmd`chmod 700 ${folder}`);

    await lab.on(
      "worker-1",
      cmd`sed -i ${"s/^version=.*/version=0/"} ${launcher}`,
    );
    const [other = ""] = await findings(lab);
    assertStringIncludes(other, `warning: process ${pid} is a daemon of`);
    done(await lab.script("05-plugin"));
    assertEquals([await findings(lab), await pidOf(lab)], [[], pid]);

    await lab.on("worker-1", cmd`kill -9 ${pid}`);
    const [dead = ""] = await findings(lab);
    assertStringIncludes(dead, "warning: the plugin's daemon does not run");
    done(await lab.script("05-plugin"));
    assertEquals(await findings(lab), []);

    done(await lab.script("05-plugin", "--undo"));
    assertEquals(await pidOf(lab), undefined);
    const left = `ls -d ${folder} /var/log/deno-cni-daemon.log 2>/dev/null; :`;
    assertEquals(await lab.on("worker-1", cmd`sh -c ${left}`), "");
  },
);

const context: RunContext = {
  timeout_ms: 30_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: () => {},
};

/** Waits until a daemon of the installed version lives that is not this one. */
async function anotherDaemon(
  node: Node,
  than: number | undefined,
): Promise<number> {
  const end_ms = performance.now() + 20_000;
  for (;;) {
    const pid = await pidOn(node);
    if (pid !== undefined && pid !== than) return pid;
    if (performance.now() > end_ms) throw new Error("no other daemon in 20 s");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

systemdTest(
  "where systemd runs the daemon is a unit: started again when it dies, restarted for another version while calls go on, and taken back whole",
  async () => {
    await using lab = await labWith("t-daemon-unit", "{ daemon: false }");
    done(await lab.script("04-bridge"));
    done(await lab.script("05-plugin"));
    // The journal has the steps of 05, which the lab was given without a daemon.
    const stage = "06-forwarding";
    const steps = daemonSteps({ provider: "ssh", plugin: usualPlugin });
    const bare = lab.node("worker-1");
    assertEquals(await apply(stage, bare, steps, context), []); // Of no use there.
    await using machine = await startSystemd(bare);
    const { node } = machine;
    const on = (script: string) => must(node, cmd`sh -euc ${script}`);
    const applied = async () => {
      const results = await apply(stage, node, steps, context);
      return results.map(({ status, problem }) => problem ?? status);
    };
    assertEquals(await applied(), ["changed"]);
    assertEquals(await applied(), ["ok"]);
    assertStringIncludes(
      await on(`systemctl show -p MainPID -p Restart ${daemonUnit.name}`),
      `MainPID=${await pidOn(node)}`,
    );

    const first = await pidOn(node);
    await on(`kill -9 ${first}`);
    const second = await anotherDaemon(node, first);
    assertEquals(await applied(), ["ok"]);

    // As many pods come and go as can, while another version is installed and started.
    const config =
      `{"cniVersion":"1.0.0","name":"t","bridge":"t0","subnet":"10.9.0.0/16"}`;
    const calls = `ip netns add t$1; i=0
      until [ -e /run/enough ]; do for command in ADD DEL; do
        said=$(printf '%s' '${config}' | CNI_COMMAND=$command CNI_CONTAINERID=c$1 \\
          CNI_NETNS=/run/netns/t$1 CNI_IFNAME=eth0 CNI_PATH=/x ${launcher} 2>&1) ||
          { echo "$command after $i pairs: $said"; exit 1; }
      done; i=$((i + 1)); done; ip netns del t$1`;
    const running = [1, 2].map((number) =>
      node.run(cmd`sh -c ${calls} calls ${number}`, { timeout_ms: 60_000 })
    );
    await on(`sed 's/^version=.*/version=1/' ${launcher} >/run/new
      chmod 755 /run/new; mv /run/new ${launcher}.new; mv ${launcher}.new ${launcher}`);
    const updated = await applied();
    await on("touch /run/enough");
    for (const { code, stdout } of await Promise.all(running)) {
      assertEquals(code, 0, stdout);
    }
    assertEquals(updated, ["changed"]);
    await anotherDaemon(node, second);

    const results = await undo(stage, node, steps, context);
    assertEquals(results.map(({ status }) => status), ["changed"]);
    assertEquals(await pidOn(node), undefined);
    const left = `ls -d ${folder} ${daemonUnit.path} 2>/dev/null || :
      systemctl list-units --all --no-legend '${daemonUnit.name}'`;
    assertEquals(await on(left), "");
  },
);
