/** The stages as commands, on the nodes of a real lab. */
// @ts-types="../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { projectRoot } from "../lib/cluster.ts";
import {
  cmd,
  type Command,
  type Outcome,
  run,
  withInput,
} from "../lib/command.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";

const nodeStages = [
  "03-cni-config",
  "04-bridge",
  "05-plugin",
  "06-forwarding",
  "07-masquerade",
  "08-routes",
];

/** All that a stage may change on a node, as the node itself tells it. */
async function stateOf(lab: TestLab, node: string): Promise<string> {
  const ask = (command: Command) => lab.on(node, command);
  const files =
    "for d in /etc/cni /opt/cni /var/lib/deno-cni; do [ ! -e $d ] || find $d ! -type d; done";
  const [links, ...parts] = await Promise.all([
    ask(cmd`ip -j -d link`),
    ask(cmd`ip -br addr`),
    ask(cmd`ip route`),
    ask(cmd`ip -6 route`),
    ask(cmd`sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables`),
    ask(cmd`iptables-save`),
    ask(cmd`sh -c ${files}`),
  ]);
  const shapes = (JSON.parse(links) as Record<string, unknown>[])
    .map(({ ifname, address, mtu, ifalias, flags }) =>
      JSON.stringify({ ifname, address, mtu, ifalias, flags })
    );
  // Asking for a rule makes an empty table (iptables-nft): no trace of a stage.
  const counters = /\[\d+:\d+\]|^#.*$|^\*nat$|^:.* ACCEPT |^COMMIT$/gm;
  return [...shapes, ...parts].join("\n").replace(counters, "")
    .replace(/\n{2,}/g, "\n");
}

async function provisioned(name: string): Promise<TestLab> {
  const lab = await testLab(name);
  for (const stage of ["01-provision", "02-kubeadm"]) {
    done(await lab.script(stage));
  }
  return lab;
}

function done(outcome: Outcome): void {
  assertEquals(outcome.code, 0, outcome.stderr + outcome.stdout);
}

function statuses(
  { results }: { results: readonly { status: string; node: string }[] },
  node?: string,
): string[] {
  return results.filter((result) => node === undefined || result.node === node)
    .map(({ status }) => status);
}

function labTest(name: string, body: () => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  Deno.test(ignore ? `${name} (needs root)` : name, { ignore }, body);
}

labTest(
  "every stage changes a new node, changes nothing a second time, and is taken back without a trace",
  async () => {
    await using lab = await provisioned("t-stages");
    const before = await stateOf(lab, "worker-1");
    for (const stage of nodeStages) {
      const untouched = await stateOf(lab, "worker-1");
      const planned = await lab.script(stage, "--dry-run");
      done(planned);
      assertEquals(await stateOf(lab, "worker-1"), untouched, stage);
      const first = await lab.report(stage);
      const changes = statuses(first, "worker-1").filter((s) =>
        s === "changed"
      );
      assert(changes.length > 0, `${stage} changed nothing`);
      const second = await lab.report(stage);
      for (const counts of Object.values(second.recap)) {
        assertEquals([counts.changed, counts.failed], [0, 0], stage);
      }
    }
    const journal = await lab.on(
      "worker-1",
      cmd`cat /var/lib/deno-cni/journal`,
    );
    assertEquals(JSON.parse(journal).complete, [
      "01-provision",
      "02-kubeadm",
      ...nodeStages,
    ]);
    for (const stage of nodeStages.toReversed()) {
      done(await lab.script(stage, "--undo"));
      const again = await lab.report(stage, "--undo");
      assertEquals(statuses(again), []);
    }
    assertEquals(await stateOf(lab, "worker-1"), before);
  },
);

labTest(
  "what a dry run prints does, pasted into a shell, what the stage does",
  async () => {
    await using lab = await provisioned("t-paste");
    for (const stage of nodeStages) {
      const { stdout } = await lab.script(stage, "--dry-run");
      done(await run(withInput(cmd`sh -eu`, stdout), { env: lab.env }));
      const recap = (await lab.report(stage)).recap;
      for (const node of ["master", "worker-1", "worker-2"]) {
        assertEquals(recap[node]?.changed, 0, `${stage} on ${node}: ${stdout}`);
      }
    }
  },
);

labTest(
  "--node touches this node alone, and an unknown one is named with those there are",
  async () => {
    await using lab = await provisioned("t-node");
    const others = await stateOf(lab, "worker-2");
    const report = await lab.report("04-bridge", "--node", "worker-1");
    assertEquals(Object.keys(report.recap), ["worker-1"]);
    assertEquals(await stateOf(lab, "worker-2"), others);
    const wrong = await lab.script("04-bridge", "--node", "worker-9");
    assertEquals(wrong.code, 2);
    assertStringIncludes(
      wrong.stderr,
      "--node worker-9: no such node in",
    );
    assertStringIncludes(wrong.stderr, "master, worker-1, worker-2");
    done(await lab.script("01-provision", "--undo", "--node", "worker-1"));
    const gone = await lab.script("04-bridge");
    assertEquals(gone.code, 4);
    assertStringIncludes(gone.stderr, "worker-1");
    assertStringIncludes(gone.stderr, "make 01-provision");
    await lab.on("worker-2", cmd`ip link show cni0`);
  },
);

labTest(
  "somebody else's cni0 is refused, by address, kind or missing mark, and never touched",
  async () => {
    await using lab = await provisioned("t-foreign");
    await lab.on("master", cmd`ip link add cni0 type bridge`);
    await lab.on("master", cmd`ip link set cni0 alias deno-cni`);
    await lab.on("master", cmd`ip addr add 10.99.0.1/24 dev cni0`);
    await lab.on("worker-1", cmd`ip link add cni0 type bridge`);
    await lab.on("worker-2", cmd`ip link add cni0 type veth peer name x`);
    const before = await Promise.all(
      ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
    );
    const outcome = await lab.script("04-bridge");
    assertEquals(outcome.code, 1);
    for (
      const part of [
        "cni0 has the address 10.99.0.1/24, not 10.244.0.1/24",
        "cni0 is a bridge that this tool did not make",
        "cni0 is a veth, not a bridge",
        "what to do: on worker-2",
      ]
    ) assertStringIncludes(outcome.stderr, part);
    done(await lab.script("04-bridge", "--undo"));
    const after = await Promise.all(
      ["worker-1", "worker-2"].map((node) => stateOf(lab, node)),
    );
    assertEquals(after, before);
  },
);

labTest(
  "a stage that was cut off between making the bridge and marking it goes on, and can be taken back",
  async () => {
    await using lab = await provisioned("t-cut");
    const mac =
      (await lab.script("04-bridge", "--dry-run", "--node", "worker-1"))
        .stdout.match(/address (\S+) type/)?.[1] ?? "";
    const record = {
      stage: "04-bridge",
      step: `ip link add cni0 address ${mac} type bridge`,
      state: "running",
      changed: false,
      undo: { argv: ["ip", "link", "del", "cni0"] },
    };
    const journal = JSON.stringify({
      version: 1,
      complete: [],
      records: [record],
    });
    await lab.on(
      "worker-1",
      withInput(
        cmd`sh -c ${"mkdir -p /var/lib/deno-cni; cat >/var/lib/deno-cni/journal"}`,
        journal,
      ),
    );
    await lab.on("worker-1", cmd`ip link add cni0 address ${mac} type bridge`);
    done(await lab.script("04-bridge", "--node", "worker-1"));
    assertStringIncludes(
      await lab.on("worker-1", cmd`ip link show cni0`),
      "alias deno-cni",
    );
    done(await lab.script("04-bridge", "--undo", "--node", "worker-1"));
    const { code } = await lab.node("worker-1").run(cmd`ip link show cni0`);
    assertEquals(code, 1);
  },
);

/** Puts another iptables before the node's own: one that waits before it adds a rule. */
async function slowIptables(lab: TestLab, node: string): Promise<void> {
  const wrapper = `#!/bin/sh
case "$*" in *" -I "*)
  touch /run/waiting
  until [ -e /run/go ]; do sleep 0.05; done
esac
exec xtables-nft-multi iptables "$@"
`;
  const script = overDirectory + ' && cat >"$d/iptables.new" && ' +
    'chmod 755 "$d/iptables.new" && mv "$d/iptables.new" "$d/iptables"';
  await lab.on(node, withInput(cmd`sh -c ${script}`, wrapper));
}

/** Lays a folder of the node's own over the one that has iptables. */
const overDirectory = [
  "mkdir /run/u /run/w",
  "d=$(dirname $(command -v iptables))",
  "mount -t overlay overlay -o lowerdir=$d,upperdir=/run/u,workdir=/run/w $d",
].join(" && ");

/** Runs stage 06, and the body while its first rule is being added on worker-1. */
async function whileWaiting(
  lab: TestLab,
  body: (script: Deno.ChildProcess) => Promise<void>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  await slowIptables(lab, "worker-1");
  const [program, ...args] = scriptCommand("06-forwarding", lab.file).argv;
  const script = new Deno.Command(program, {
    args,
    env: { ...lab.env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const output = script.output();
  const waiting = "until [ -e /run/waiting ]; do sleep 0.05; done";
  await lab.on("worker-1", cmd`sh -c ${waiting}`);
  await body(script);
  await lab.node("worker-1").run(cmd`touch /run/go`).catch(() => {});
  const { code, stdout, stderr } = await output;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, stdout: text(stdout), stderr: text(stderr) };
}

const shortly = () => new Promise((resolve) => setTimeout(resolve, 200));

labTest(
  "Ctrl-C lets the command under way end and leaves a journal that undo can use",
  async () => {
    await using lab = await provisioned("t-ctrlc");
    const before = await stateOf(lab, "worker-1");
    const { code, stderr } = await whileWaiting(lab, async (script) => {
      script.kill("SIGINT");
      await shortly();
    });
    assertEquals(code, 130, stderr);
    assertStringIncludes(stderr, "Ctrl-C again");
    const journal = await lab.on(
      "worker-1",
      cmd`cat /var/lib/deno-cni/journal`,
    );
    assert(!JSON.parse(journal).complete.includes("06-forwarding"));
    assertStringIncludes(await stateOf(lab, "worker-1"), "-A FORWARD -s");
    done(await lab.script("06-forwarding", "--undo"));
    assertEquals(await stateOf(lab, "worker-1"), before);
  },
);

labTest(
  "a second Ctrl-C ends the command too, and the next run makes it good",
  async () => {
    await using lab = await provisioned("t-ctrlc2");
    const { code } = await whileWaiting(lab, async (script) => {
      script.kill("SIGINT");
      await shortly();
      script.kill("SIGINT");
      await shortly();
    });
    assertEquals(code, 130);
    done(await lab.script("06-forwarding"));
    done(await lab.script("06-forwarding", "--undo"));
    assert(
      !(await lab.on("worker-1", cmd`iptables-save`)).includes("deno-cni"),
    );
  },
);

labTest(
  "a node that is killed in the middle of a stage is 'unreachable'; the others go on",
  async () => {
    await using lab = await provisioned("t-killed");
    const { code, stderr, stdout } = await whileWaiting(lab, async () => {
      for (const pid of await processesOf(lab, "worker-1")) kill(pid);
    });
    assertEquals(code, 4, stderr);
    assertStringIncludes(stderr, "unreachable on worker-1");
    assertStringIncludes(stdout, "worker-1");
    assertStringIncludes(
      await lab.on("worker-2", cmd`iptables -S FORWARD`),
      "deno-cni",
    );
    done(await lab.script("01-provision"));
    done(await lab.script("06-forwarding"));
  },
);

/** The processes that bear a node's mark: the one that holds it, and all that run in it. */
async function processesOf(lab: TestLab, node: string): Promise<number[]> {
  const pids: number[] = [];
  const mark = new RegExp(
    `DENO_CNI_(NODE|HOLDER)=${lab.cluster.name}-[0-9a-f]+/${node}\\0`,
  );
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await Deno.readTextFile(`/proc/${name}/environ`)
      .catch(() => "");
    if (mark.test(environment)) pids.push(Number(name));
  }
  return pids;
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

labTest(
  "a program that is missing on a node is named, with what to do",
  async () => {
    await using lab = await provisioned("t-missing");
    await lab.on(
      "worker-1",
      cmd`sh -c ${`${overDirectory} && rm $d/iptables`}`,
    );
    const outcome = await lab.script("06-forwarding");
    assertEquals(outcome.code, 1);
    for (const part of ["worker-1", "no such command", "install the missing"]) {
      assertStringIncludes(outcome.stderr, part);
    }
    done(await lab.script("06-forwarding", "--undo"));
    assertStringIncludes(
      await lab.on("worker-1", cmd`sysctl net.ipv4.ip_forward`),
      "= 0",
    );
  },
);

labTest(
  "on this very machine (provider local) the stages do what they do on a lab node",
  async () => {
    await using lab = await provisioned("t-local");
    const config = `name: here
provider: local
clusterCIDR: 10.244.0.0/16
nodes:
  - name: worker-1
    role: control-plane
    address: 10.0.1.12
    podCIDRs: 10.244.1.0/24
`;
    const node = lab.node("worker-2");
    await lab.on(
      "worker-2",
      withInput(cmd`sh -c ${"cat >/run/here.yaml"}`, config),
    );
    for (
      const stage of [
        "01-provision",
        "03-cni-config",
        "04-bridge",
        "06-forwarding",
        "07-masquerade",
      ]
    ) {
      const outcome = await node.run(
        scriptCommand(stage, "/run/here.yaml"),
        {
          env: {
            PATH: Deno.env.get("PATH") ?? "",
            HOME: Deno.env.get("HOME") ?? "/root",
            DENO_CNI_STATE: "/run/state",
            ...denoDir(),
          },
        },
      );
      done(outcome);
      if (stage !== "01-provision") {
        done(await lab.script(stage, "--node", "worker-1"));
      }
    }
    const shape = async (name: string) =>
      (await stateOf(lab, name)).split("\n")
        .filter((line) =>
          /cni0 |deno-cni|ip_forward/.test(line) && !line.startsWith("[")
        )
        .filter((line) => !/UNKNOWN|DOWN/.test(line)).sort();
    assertEquals(await shape("worker-2"), await shape("worker-1"));
  },
);

function denoDir(): Record<string, string> {
  const folder = Deno.env.get("DENO_DIR");
  return folder === undefined ? {} : { DENO_DIR: folder };
}

labTest(
  "without permission a stage says so, and that it needs root",
  async () => {
    await using lab = await provisioned("t-noroot");
    const config = `name: here
provider: local
clusterCIDR: 10.244.0.0/16
nodes:
  - name: worker-1
    role: control-plane
    address: 10.0.1.11
    podCIDRs: 10.244.1.0/24
`;
    await lab.on(
      "worker-2",
      withInput(
        cmd`sh -c ${'cat >/run/here.yaml; mkdir -m 777 /run/state; chmod 755 /run; cp -r "$1" /run/deno-dir; chmod -R a+rwX /run/deno-dir'} x ${await cacheFolder()}`,
        config,
      ),
    );
    const drop = cmd`setpriv --reuid=12345 --regid=12345 --clear-groups`;
    const script = scriptCommand("06-forwarding", "/run/here.yaml");
    const outcome = await lab.node("worker-2").run(
      { argv: [...drop.argv, ...script.argv] },
      {
        env: {
          PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
          HOME: "/run/state",
          DENO_CNI_STATE: "/run/state",
          DENO_DIR: "/run/deno-dir",
        },
      },
    );
    assertEquals(outcome.code, 1, outcome.stderr);
    assertStringIncludes(outcome.stderr, "ermission");
    assertStringIncludes(outcome.stderr, "needs root");
  },
);

async function cacheFolder(): Promise<string> {
  const { stdout } = await run(cmd`${Deno.execPath()} info --json`, {
    cwd: projectRoot,
  });
  return JSON.parse(stdout).denoDir;
}
