/** The ssh transport against real sshds, on the nodes of a lab. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command, type Outcome, withInput } from "../exec/command.ts";
import { labNode } from "../lab/node.ts";
import { make, on, withCluster } from "../lab/lab_testing.ts";
import type { SshTarget } from "./protocol.ts";
import type { Answer, Call, DriverRequest } from "./driver_testing.ts";
import {
  restartSshd,
  runtimeDir,
  sshdFolder,
  type SshLab,
  sshTest,
  startSshLab,
} from "./sshd_testing.ts";

const driver = `${import.meta.dirname}/driver_testing.ts`;

/** A lab with an sshd on every node; all of it is gone afterwards. */
async function withSshLab(body: (lab: SshLab) => Promise<void>): Promise<void> {
  await withCluster(async (cluster) => {
    await make(cluster);
    await body(await startSshLab(cluster, cluster.stateDir));
  });
}

async function drive(
  lab: SshLab,
  target: Partial<SshTarget>,
  ...calls: DriverRequest["calls"]
): Promise<Answer[]> {
  const request: DriverRequest = {
    target: { name: "master", host: "10.0.1.10", user: "root", ...target },
    stateDir: `${lab.cluster.stateDir}/state`,
    calls,
  };
  const command = cmd`${Deno.execPath()} run -A --quiet --no-check ${driver}`;
  const outcome = await lab.client(
    withInput(command, JSON.stringify(request)),
  );
  assertEquals(outcome.code, 0, outcome.stderr);
  return JSON.parse(outcome.stdout);
}

function outcomeOf(answer: Answer | undefined): Outcome {
  assert(answer && "outcome" in answer, JSON.stringify(answer));
  return answer.outcome;
}

/** Why a machine could not be reached; one line. */
async function refusal(
  lab: SshLab,
  target: Partial<SshTarget>,
  command: Command = cmd`true`,
): Promise<string> {
  const [answer] = await drive(lab, target, { run: command });
  assert(answer && "unreachable" in answer, JSON.stringify(answer));
  assert(!/[\r\n]/.test(answer.unreachable), answer.unreachable);
  return answer.unreachable;
}

/** A user of a node with the client's key, and what sudo may do for him. */
async function addUser(
  cluster: Cluster,
  node: string,
  user: string,
  shell: string,
  sudoers?: string,
): Promise<void> {
  await on(
    labNode(cluster, node),
    `useradd --create-home --base-dir /run --shell ${shell} ${user}
usermod -p '*' ${user}
chmod 755 ${sshdFolder}
chmod 644 ${sshdFolder}/authorized_keys
echo "127.0.0.1 ${node}" >>/etc/hosts
${
      sudoers === undefined ? "" : `mkdir -p /etc/sudoers.d
echo '${user} ${sudoers}' >/etc/sudoers.d/${user}`
    }`,
  );
}

const awkward = ["it's", "", "a  b", "$HOME `id` \\ \\\\", '"\n*', "é!", "-n"];
const echoed = awkward.map((text) => `<${text}>`).join("");
const echo =
  cmd`sh -c ${'for a in "$@"; do printf "<%s>" "$a"; done'} x ${awkward}`;

sshTest(
  "arguments, input, both outputs and exit codes survive dash and bash as login shells, and a profile that talks",
  async () => {
    await withSshLab(async (lab) => {
      await addUser(
        lab.cluster,
        "master",
        "ann",
        "/bin/bash",
        "ALL=(ALL) NOPASSWD: ALL",
      );
      await addUser(
        lab.cluster,
        "master",
        "dan",
        "/bin/dash",
        "ALL=(ALL) NOPASSWD: ALL",
      );
      await on(
        labNode(lab.cluster, "master"),
        `printf 'echo good morning; echo fortune >&2\n' >/run/ann/.bashrc`,
      );
      const text = "first\n\n é $x\nno end";
      const calls: Call[] = [
        { run: cmd`id -u` },
        { run: echo },
        { run: withInput(cmd`cat`, text) },
        { run: cmd`sh -c ${"printf out; printf err >&2; exit 255"}` },
        { run: cmd`nonesuch-program` },
        { run: cmd`/etc/passwd` },
        { run: cmd`sh -c ${"kill -9 $$"}` },
        {
          run: cmd`sh -c ${'echo "$A $PWD $HOME"'}`,
          options: { env: { A: "1" }, cwd: "/tmp" },
        },
        { run: cmd`ip link show lo` },
      ];
      for (const user of ["root", "ann", "dan"]) {
        const answers = (await drive(lab, { user }, ...calls)).map(outcomeOf);
        const [who, echo, cat, code255, absent, refused, killed, env, ip] =
          answers;
        assertEquals(who?.stdout, "0\n", user);
        assertEquals(echo?.stdout, echoed, user);
        assertEquals(cat, { code: 0, stdout: text, stderr: "" }, user);
        assertEquals(
          code255,
          { code: 255, stdout: "out", stderr: "err" },
          user,
        );
        assertEquals(absent?.ended, "no such command", user);
        assertEquals(refused?.ended, "not executable", user);
        assertEquals(killed?.ended, "killed", user);
        assertEquals(env?.stdout, "1 /tmp \n", user);
        assertEquals(ip?.code, 0, user);
      }
    });
  },
);

sshTest("each way not to be reached has its own line", async () => {
  await withSshLab(async (lab) => {
    const { cluster, home } = lab;
    const said = async (target: Partial<SshTarget>, ...parts: string[]) => {
      const line = await refusal(lab, target);
      for (const part of parts) assertStringIncludes(line, part);
    };
    await addUser(cluster, "master", "ann", "/bin/dash", "ALL=(ALL) ALL");
    await addUser(cluster, "master", "joe", "/bin/bash");
    await addUser(cluster, "master", "eve", "/usr/sbin/nologin");
    await on(
      labNode(cluster, "outside"),
      `cd /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f other
cp id_ed25519 open; chmod 644 open
ip route add unreachable 192.0.2.0/24
iptables -A OUTPUT -d 10.0.1.99 -j DROP`,
    );
    const identityFile = "/root/.ssh/other";
    await Promise.all([
      said({ host: "10.0.1.99" }, "10.0.1.99 does not answer", "switched on"),
      said({ host: "192.0.2.1" }, "no way to 192.0.2.1"),
      said({ host: "10.0.1.10", port: 9 }, "10.0.1.10 port 9 refuses"),
      said({ host: "nowhere.invalid" }, "nowhere.invalid cannot be resolved"),
      said({ identityFile }, "takes none of your keys for root", "publickey"),
      said({ identityFile: "/root/.ssh/open" }, "chmod 600 /root/.ssh/open"),

      said({ user: "ann" }, "sudo wants a password of ann"),
      said({ user: "joe" }, "sudo wants a password of joe"),
      said({ user: "eve" }, "its login refuses"),
    ]);
    await restartSshd(cluster, "worker-1", "PasswordAuthentication yes");
    await said(
      { host: "10.0.1.11", identityFile },
      "wants a password for root",
    );
    // With none of its own, ssh goes on with the user's usual keys.
    await restartSshd(cluster, "worker-2", "AuthorizedKeysFile none");
    await said(
      { host: "10.0.1.12", identityFile: "/nonexist" },
      "the key /nonexist cannot be read",
    );
    const hosts = `${home}/.ssh/known_hosts`;
    const known = await Deno.readTextFile(hosts);
    const [, worker1 = "", worker2 = ""] = known.split("\n");
    const others = worker1.replace("10.0.1.11", "10.0.1.12");
    await Deno.writeTextFile(hosts, `${worker1}\n${others}\n`);
    await said({}, "its host key is unknown", "ssh root@10.0.1.10");
    await said(
      { host: "10.0.1.12" },
      "host key is not the known one (/root/.ssh/known_hosts, line 2)",
      "ssh-keygen -f /root/.ssh/known_hosts -R 10.0.1.12",
    );
    assert(worker2 !== others);
    await Deno.writeTextFile(`${home}/.ssh/config`, "Nonsense yes\n");
    await said({ host: "10.0.1.11" }, "Bad configuration option: nonsense");
  });
});

sshTest("a machine without sudo is told as such", async () => {
  await withSshLab(async (lab) => {
    await addUser(lab.cluster, "master", "ann", "/bin/bash");
    await on(
      labNode(lab.cluster, "master"),
      "mount --bind /dev/null $(command -v sudo) && mkdir /run/bin && ln -s /bin/sh /run/bin/ && echo PATH=/run/bin >/run/ann/.bashrc",
    );
    assertStringIncludes(
      await refusal(lab, { user: "ann" }),
      "has no sudo, and ssh does not come in as root",
    );
  });
});

sshTest(
  "a machine that this tool has made is pinned at first contact, and refused with another key",
  async () => {
    await withSshLab(async (lab) => {
      const { cluster, home } = lab;
      const hosts = `${home}/.ssh/known_hosts`;
      await Deno.remove(hosts);
      const pinnedKeys = `${home}/keys of the cluster`;
      const target = { pinnedKeys: "/root/keys of the cluster" };
      const [first] = await drive(lab, target, { run: cmd`true` }, {
        disconnect: true,
      });
      assertEquals(outcomeOf(first).code, 0);
      const pinned = await Deno.readTextFile(pinnedKeys);
      assertStringIncludes(
        (await lab.client(cmd`ssh-keygen -F 10.0.1.10 -f ${target.pinnedKeys}`))
          .stdout,
        "found: line 1",
      );
      await on(
        labNode(cluster, "master"),
        `cd ${sshdFolder} && rm host_key && ssh-keygen -q -t ed25519 -N '' -f host_key`,
      );
      await restartSshd(cluster, "master");
      assertStringIncludes(await refusal(lab, target), "is not the known one");
      assertEquals(await Deno.readTextFile(pinnedKeys), pinned);
    });
  },
);

/** The command lines with this word in them, of processes on a node. */
async function running(lab: SshLab, word: string): Promise<string> {
  const { stdout } = await labNode(lab.cluster, "master")
    .run(cmd`pgrep -fx ${word}`);
  return stdout.trim();
}

sshTest(
  "a command that is out of time or interrupted is ended on the node, with all that it started",
  async () => {
    await withSshLab(async (lab) => {
      await addUser(
        lab.cluster,
        "master",
        "ann",
        "/bin/bash",
        "ALL=(ALL) NOPASSWD: ALL",
      );
      for (const [at, user] of ["root", "ann"].entries()) {
        const late =
          cmd`sh -c ${`echo begun; sleep 98765${at} & sleep 98765${at}`}`;
        const [, first, ...rest] = await drive(
          lab,
          { user },
          { run: cmd`true` }, // The limits are for commands, not for the login.
          { run: late, options: { timeout_ms: 3_000 } },
          [
            { run: late, options: { timeout_ms: 3_000 } },
            { run: late, interrupt_ms: 1_000 },
            { run: cmd`echo unharmed` },
          ],
        );
        const { ended, stdout } = outcomeOf(first);
        assertEquals([ended, stdout], ["timed out", "begun\n"]);
        assertEquals(
          rest.map(outcomeOf).map(({ ended, stdout }) => ended ?? stdout),
          ["timed out", "interrupted", "unharmed\n"],
        );
        assertEquals(await running(lab, `sleep 98765${at}`), "", user);
      }
    });
  },
);

sshTest(
  "a command that cannot be ended is said to be still at work",
  async () => {
    await withSshLab(async (lab) => {
      // The way to the node is lost while the command runs.
      const lose = cmd`sh -c ${
        "until pgrep -fx 'sleep 4321'; do sleep 0.1; done; " +
        "iptables -I INPUT -p tcp -j DROP"
      }`;
      const asked = drive(lab, {}, { run: cmd`true` }, {
        run: cmd`sleep 4321`,
        options: { timeout_ms: 5_000 },
      });
      await labNode(lab.cluster, "master").run(lose);
      const [, late] = await asked;
      assertEquals(outcomeOf(late).ended, "timed out");
      assertStringIncludes(
        outcomeOf(late).stderr,
        "could not be ended on master (no answer), and may still be at work there",
      );
    });
  },
);

sshTest(
  "a connection that breaks under a command is 'unreachable'; one that has died before it is made anew",
  async () => {
    await withSshLab(async (lab) => {
      const drop = `kill -KILL $(pgrep -P $(cat ${sshdFolder}/pid))`;
      const asked = drive(lab, {}, { run: cmd`true` }, {
        run: cmd`sleep 20.125`,
      });
      await labNode(lab.cluster, "master").run(
        cmd`sh -c ${`until pgrep -fx 'sleep 20.125'; do sleep 0.1; done; ${drop}`}`,
      );
      const [, broken] = await asked;
      assert(broken && "unreachable" in broken, JSON.stringify(broken));
      assertStringIncludes(broken.unreachable, "broke while a command ran");
      const [first] = await drive(lab, {}, { run: cmd`echo again` });
      assertEquals(outcomeOf(first).stdout, "again\n");
      await labNode(lab.cluster, "master").run(cmd`sh -c ${drop}`);
      const [second] = await drive(lab, {}, { run: cmd`echo anew` });
      assertEquals(outcomeOf(second).stdout, "anew\n");
    });
  },
);

sshTest(
  "many commands share one connection, which a later run finds open and disconnect() closes",
  async () => {
    await withSshLab(async (lab) => {
      const many = Array.from(
        { length: 20 },
        (_, at) => ({ run: cmd`echo ${at}` }),
      );
      const answers = await drive(lab, {}, many);
      assertEquals(
        answers.map((answer) => outcomeOf(answer).stdout),
        many.map((_, at) => `${at}\n`),
      );
      const connections = async () => {
        const open = await on(
          labNode(lab.cluster, "master"),
          "ss -Htn state established sport = :22",
        );
        return open === "" ? 0 : open.split("\n").length;
      };
      assertEquals(await connections(), 1);
      await drive(lab, {}, { run: cmd`true` });
      assertEquals(await connections(), 1);
      await drive(lab, {}, { disconnect: true });
      assertEquals(await connections(), 0);
      const outside = labNode(lab.cluster, "outside");
      const sockets = `${runtimeDir}/deno-cni`;
      assertEquals(await on(outside, `stat -c %a ${sockets}`), "700");
      assertEquals(await on(outside, `ls -A ${sockets}`), "");
      await on(outside, `chmod 755 ${sockets}`);
      assertStringIncludes(await refusal(lab, {}), "is open to other users");
    });
  },
);

sshTest(
  "a file arrives packed or plain, is not sent twice, and is never half there",
  async () => {
    await withSshLab(async (lab) => {
      const { cluster } = lab;
      const folder = cluster.stateDir;
      const large = new Uint8Array(3_000_000).map((_, at) => at * at % 251);
      await Deno.writeFile(`${folder}/large`, large);
      await Deno.writeTextFile(`${folder}/small file`, "small\n");
      const master = labNode(cluster, "master");
      const copy = (name: string, path: string, mode: string): Call => ({
        copy: [`${folder}/${name}`, path, mode],
      });
      const wanted = [
        copy("large", "/opt/new folder/large", "755"),
        copy("small file", "/opt/new folder/it's small", "640"),
      ];
      assertEquals(await drive(lab, {}, ...wanted), [{ done: true }, {
        done: true,
      }]);
      const look =
        "cd '/opt/new folder'; stat -c '%n %a %s %Y.%i' *; sha256sum large";
      const first = await on(master, look);
      const digest = new Uint8Array(
        await crypto.subtle.digest("SHA-256", large),
      );
      assertStringIncludes(first, digest.toHex());
      assertStringIncludes(first, "it's small 640 6 ");
      assertStringIncludes(first, "large 755 3000000 ");
      await on(master, "chmod 700 '/opt/new folder/large'");
      await drive(lab, {}, ...wanted);
      // The same inode: it was not written again; its rights were put right.
      assertEquals(await on(master, look), first);
      // A node that has gzip only, and one that has neither.
      for (const hidden of [["zstd"], ["zstd", "gzip"]]) {
        await on(
          master,
          `rm -r '/opt/new folder'
for p in ${
            hidden.join(" ")
          }; do p=$(command -v $p) && mount --bind /etc/passwd $p; done; :`,
        );
        assertEquals(await drive(lab, {}, ...wanted), [{ done: true }, {
          done: true,
        }]);
        assertStringIncludes(await on(master, look), digest.toHex());
      }
      const [full] = await drive(lab, {}, copy("large", "/dev/full/x", "755"));
      assert(full && "failed" in full, JSON.stringify(full));
      await on(
        master,
        "mkdir /run/tiny; mount -t tmpfs -o size=64k tiny /run/tiny",
      );
      const [tiny] = await drive(lab, {}, copy("large", "/run/tiny/x", "755"));
      assert(tiny && "failed" in tiny, JSON.stringify(tiny));
      assertStringIncludes(tiny.failed, "No space left on device");
      assertEquals(await on(master, "ls /run/tiny"), "");
    });
  },
);

sshTest(
  "what a dry run prints runs on the node, pasted into a shell of the client's side",
  async () => {
    await withSshLab(async (lab) => {
      await addUser(
        lab.cluster,
        "master",
        "ann",
        "/bin/bash",
        "ALL=(ALL) NOPASSWD: ALL",
      );
      const [answer] = await drive(lab, { user: "ann" }, {
        enter: withInput(cmd`sh -eu`, 'id -u\necho "it\'s $HOME"\n'),
      });
      assert(answer && "entered" in answer);
      assertEquals(answer.entered.argv.slice(-2), [
        "ann@10.0.1.10",
        "sudo -n sh -eu",
      ]);
      const outcome = await lab.client(answer.entered);
      assertEquals([outcome.stdout, outcome.code], ["0\nit's /root\n", 0]);
    });
  },
);
