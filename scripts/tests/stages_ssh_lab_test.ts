/** The stages over ssh, on the nodes of a lab, beside the lab's own transport. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  cmd,
  type Command,
  type Outcome,
  withInput,
} from "../../lib/exec/command.ts";
import {
  restartSshd,
  type SshLab,
  sshTest,
  startSshLab,
} from "../../lib/ssh/sshd_testing.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { sshFile } from "./ssh_testing.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

const nodeStages = [
  "03-cni-config",
  "04-bridge",
  "05-plugin",
  "06-forwarding",
  "07-masquerade",
  "08-routes",
];

/** A lab, and the same machines as a cluster that ssh reaches. */
interface BothWays {
  readonly lab: TestLab;
  readonly ssh: SshLab;
  /** The cluster file with provider: ssh. */
  readonly file: string;
  readonly stateRoot: string;
  /** Runs scripts/NAME.ts over ssh, from the outside host. */
  overSsh(name: string, ...args: string[]): Promise<Outcome>;
}

async function bothWays(
  name: string,
  body: (both: BothWays) => Promise<void>,
): Promise<void> {
  await using lab = await testLab(name);
  // A machine links Debian's portmap, which a lab's node does not.
  const alike = "plugin: { portmap: false }\n";
  await Deno.writeTextFile(lab.file, alike, { append: true });
  for (const stage of ["01-provision", "02-kubeadm"]) {
    done(await lab.script(stage));
  }
  const folder = lab.file.slice(0, lab.file.lastIndexOf("/"));
  const ssh = await startSshLab(lab.cluster, folder);
  const file = `${folder}/${name}-ssh.yaml`;
  await Deno.writeTextFile(file, sshFile(`${name}-ssh`, lab.cluster) + alike);
  const stateRoot = `${folder}/ssh-state`;
  await body({
    lab,
    ssh,
    file,
    stateRoot,
    overSsh(name, ...args) {
      const { argv } = scriptCommand(name, file, ...args);
      return ssh.client(
        cmd`env DENO_CNI_STATE=${stateRoot} ${argv}`,
        120_000,
      );
    },
  });
}

function done(outcome: Outcome): void {
  assertEquals(outcome.code, 0, outcome.stderr + outcome.stdout);
}

/** All that the stages may change on a node, and what the journal says of it. */
async function stateOf(lab: TestLab, node: string): Promise<string> {
  const ask = (command: Command) => lab.on(node, command);
  const files =
    "for d in /etc/cni /opt/cni; do [ ! -e $d ] || find $d ! -type d | sort | " +
    `while read -r f; do stat -Lc '%n %a %s' "$f"; sha256sum <"$f"; done; done`;
  const parts = await Promise.all([
    ask(cmd`ip -o link show cni0`).catch(() => "no bridge\n"),
    ask(cmd`ip -br addr`),
    ask(cmd`ip route`),
    ask(cmd`sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables`),
    ask(cmd`iptables-save`),
    ask(cmd`sh -c ${files}`),
    ask(cmd`cat /var/lib/deno-cni/journal`),
  ]);
  // Interfaces' numbers and rules' counters tell how often, not what; asking for
  // a rule makes an empty table (iptables-nft).
  return parts.join("\n").replace(
    /\[\d+:\d+\]|^#.*$|^\d+:|@if\d+|^\*nat$|^:.* ACCEPT |^COMMIT$/gm,
    "",
  ).replace(/\n{2,}/g, "\n");
}

async function states(lab: TestLab): Promise<string[]> {
  return await Promise.all(
    lab.cluster.nodes.map(({ name }) => stateOf(lab, name)),
  );
}

/** A dry run's commands, without the way to the node. */
function commandsOf({ stdout }: Outcome): string[] {
  return stdout.split("\n").map((line) =>
    line
      .replace(/^(?:ssh|sh) .*(<<'END_*')$/, "on the node $1")
      .replace(/^(?:gzip|sh) .*\/([^/ ]+) \/?.*$/, "copy")
  );
}

sshTest(
  "stages 03 to 09 over ssh do the very commands of the lab's transport, and end in the same state",
  async () => {
    await bothWays("t-ssh", async ({ lab, overSsh }) => {
      done(await overSsh("01-provision"));
      const before = await states(lab);
      for (const stage of nodeStages) {
        const [planned, inLab] = await Promise.all([
          overSsh(stage, "--dry-run"),
          lab.script(stage, "--dry-run"),
        ]);
        done(planned);
        assertEquals(commandsOf(planned), commandsOf(inLab), stage);
        assertStringIncludes(planned.stdout, "root@10.0.1.11");
        done(await overSsh(stage));
      }
      const overSshState = await states(lab);
      // What ssh wrote down, the lab's transport can take back.
      for (const stage of nodeStages.toReversed()) {
        done(await lab.script(stage, "--undo"));
      }
      assertEquals(await states(lab), before);
      for (const stage of nodeStages) done(await lab.script(stage));
      assertEquals(await states(lab), overSshState);
      // And ssh finds nothing left to do where the lab's transport did it.
      for (const stage of nodeStages) {
        const report = JSON.parse((await overSsh(stage, "-o", "json")).stdout);
        for (const node of ["master", "worker-1", "worker-2"]) {
          const { changed, failed } = report.recap[node];
          assertEquals([changed, failed], [0, 0], `${stage} on ${node}`);
        }
      }
      const verified = await overSsh("09-verify");
      done(verified);
      done(await overSsh("09-verify", "--undo"));
      for (const stage of nodeStages.toReversed()) {
        done(await overSsh(stage, "--undo"));
      }
      assertEquals(await states(lab), before);
    });
  },
);

sshTest(
  "what a dry run prints over ssh does, pasted into a shell, what the stage does",
  async () => {
    await bothWays("t-ssh-paste", async ({ ssh, overSsh }) => {
      done(await overSsh("01-provision"));
      for (const stage of nodeStages) {
        const planned = await overSsh(stage, "--dry-run", "--node", "worker-1");
        done(planned);
        const { stdout } = planned;
        done(
          await ssh.client(
            withInput(cmd`env --chdir=${projectRoot} sh -eu`, stdout),
          ),
        );
        const report = await overSsh(stage, "-o", "json", "--node", "worker-1");
        const { changed, failed } = JSON.parse(report.stdout).recap["worker-1"];
        assertEquals([changed, failed], [0, 0], `${stage}: ${stdout}`);
      }
    });
  },
);

sshTest(
  "a node that is not reached is said to be, with exit code 4; the others go on",
  async () => {
    await bothWays("t-ssh-down", async ({ lab, overSsh }) => {
      done(await overSsh("01-provision"));
      await restartSshd(lab.cluster, "worker-1", "AllowUsers nobody");
      const { code, stdout, stderr } = await overSsh("04-bridge");
      assertEquals(code, 4, stderr);
      assertStringIncludes(stderr, "unreachable on worker-1");
      assertStringIncludes(stderr, "takes none of your keys for root");
      assertStringIncludes(stdout, "unreachable=1");
      await lab.on("worker-2", cmd`ip link show cni0`);
      await lab.on("master", cmd`ip link show cni0`);
    });
  },
);

sshTest(
  "stage 01 tells all that is wrong with each machine at once",
  async () => {
    await bothWays("t-ssh-machine", async ({ lab, file, overSsh }) => {
      const text = await Deno.readTextFile(file);
      await Deno.writeTextFile(
        file,
        text.replace("10.0.1.12 }", "10.0.1.77, ssh: { host: 10.0.1.12 } }"),
      );
      await lab.on(
        "worker-2",
        cmd`sh -euc ${"printf 'ID=fedora\nPRETTY_NAME=\"Fedora 40\"\n' >/run/os; mount --bind /run/os /etc/os-release"}`,
      );
      const { code, stderr } = await overSsh("01-provision");
      assertEquals(code, 1, stderr);
      for (
        const part of [
          "worker-2 cannot be a node yet, 2 things are wrong",
          "it runs Fedora 40",
          "10.0.1.77 is none of its addresses (it has 10.0.1.12)",
        ]
      ) assertStringIncludes(stderr, part);
      assert(!stderr.includes("on worker-1"), stderr);
    });
  },
);

sshTest(
  "Ctrl-C twice ends the command under way on the node, and the journal is true",
  async () => {
    await bothWays(
      "t-ssh-ctrlc",
      async ({ lab, ssh, file, stateRoot, overSsh }) => {
        done(await overSsh("01-provision"));
        const before = await stateOf(lab, "worker-1");
        await lab.on(
          "worker-1",
          cmd`sh -euc ${`mkdir /run/u /run/w
d=$(dirname $(command -v iptables))
mount -t overlay overlay -o lowerdir=$d,upperdir=/run/u,workdir=/run/w $d
printf '#!/bin/sh\ncase "$*" in *" -I "*) touch /run/waiting; sleep 7654 ;; esac\nexec xtables-nft-multi iptables "$@"\n' >$d/iptables.new
chmod 755 $d/iptables.new
mv $d/iptables.new $d/iptables`}`,
        );
        const { argv } = scriptCommand("06-forwarding", file);
        const interrupt = `DENO_CNI_STATE=${stateRoot} "$@" & pid=$!
until read -r go; do sleep 0.1; done </run/go
kill -INT $pid; sleep 0.5; kill -INT $pid
wait $pid`;
        await lab.node("outside").run(cmd`mkfifo /run/go`);
        const running = ssh.client(cmd`sh -c ${interrupt} x ${argv}`);
        await lab.on(
          "worker-1",
          cmd`sh -c ${"until [ -e /run/waiting ]; do sleep 0.1; done"}`,
        );
        await lab.node("outside").run(cmd`sh -c ${"echo go >/run/go"}`);
        const { code, stderr } = await running;
        assertEquals(code, 130, stderr);
        const left = await lab.node("worker-1").run(
          cmd`pgrep -fx ${"sleep 7654"}`,
        );
        assertEquals(left.stdout, "");
        await lab.on(
          "worker-1",
          cmd`sh -c ${"umount $(dirname $(command -v iptables))"}`,
        );
        done(await overSsh("06-forwarding"));
        done(await overSsh("06-forwarding", "--undo"));
        assertEquals(await stateOf(lab, "worker-1"), before);
      },
    );
  },
);

sshTest(
  "no word that a stage takes as input is seen in a process list or in what it prints",
  async () => {
    await bothWays("t-ssh-secret", async ({ lab, ssh }) => {
      const secret = crypto.randomUUID();
      // Reads the secret, and lists the processes of all of this machine meanwhile.
      const list =
        "cat >/run/secret; cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' ' '";
      const request = JSON.stringify({
        target: { name: "master", host: "10.0.1.10", user: "root" },
        stateDir: `${lab.cluster.stateDir}/driver`,
        calls: [{ run: { argv: ["sh", "-c", list], stdin: secret } }],
      });
      const { stdout, stderr } = await ssh.client({
        ...cmd`${Deno.execPath()} run -A --quiet --no-check ${projectRoot}/lib/ssh/driver_testing.ts`,
        stdin: request,
      });
      const [answer] = JSON.parse(stdout);
      assertStringIncludes(answer.outcome.stdout, "sshd", stderr);
      assert(!answer.outcome.stdout.includes(secret), "seen in a process list");
      assertEquals(await lab.on("master", cmd`cat /run/secret`), secret);
    });
  },
);
