/** Doctor and status over ssh: the machines are a lab's, and count as real ones. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../../lib/exec/command.ts";
import type { DoctorReport } from "../../lib/doctor/doctor.ts";
import { sshTest, startSshLab } from "../../lib/ssh/sshd_testing.ts";
import type { StatusReport } from "../../lib/status/status.ts";
import { scriptCommand, type TestLab, testLab } from "./lab_testing.ts";
import { sshFile } from "./ssh_testing.ts";

/** What was found on a node, but what waits for 02, which needs more than a lab's node. */
function troubles({ stdout }: Outcome, name: string): string[] {
  const report: DoctorReport = JSON.parse(stdout);
  const node = report.nodes.find(({ node }) => node === name);
  assert(node?.is === "examined");
  return node.checks.flatMap(({ name, findings }) =>
    findings.filter(({ is }) => is === "fault" || is === "unknown")
      .map(({ what }) => `${name}: ${what}`)
  );
}

/** What Debian's containerd has in its configuration. */
const debians = `printf '%s\\n' '[plugins."io.containerd.grpc.v1.cri".cni]' ` +
  `'      bin_dir = "/usr/lib/cni"' '      conf_dir = "/etc/cni/net.d"' ` +
  ">/etc/containerd/config.toml";

async function prepare(lab: TestLab): Promise<string> {
  for (const stage of ["01-provision", "02-kubeadm"]) {
    const outcome = await lab.script(stage);
    assertEquals(outcome.code, 0, outcome.stderr);
  }
  return lab.file.slice(0, lab.file.lastIndexOf("/"));
}

sshTest(
  "doctor and status see over ssh what they see in a lab, and what machines need beside",
  async () => {
    await using lab = await testLab("t-doctor-ssh");
    const folder = await prepare(lab);
    const ssh = await startSshLab(lab.cluster, folder);
    const file = `${folder}/ssh.yaml`;
    await Deno.writeTextFile(file, sshFile("t-doctor", lab.cluster));
    const overSsh = (name: string, ...args: string[]) => {
      const { argv } = scriptCommand(name, file, ...args);
      const env = `DENO_CNI_STATE=${folder}/ssh-state`;
      return ssh.client(cmd`env ${env} ${argv}`, 120_000);
    };
    const stages = ["03-cni-config", "04-bridge", "05-plugin", "06-forwarding"];
    for (const stage of [...stages, "07-masquerade", "08-routes"]) {
      const outcome = await overSsh(stage);
      assertEquals(outcome.code, 0, outcome.stderr);
    }

    const status: StatusReport = JSON.parse(
      (await overSsh("status", "-o", "json")).stdout,
    );
    const states = status.stages.map(({ name, on }) =>
      `${name} ${[...new Set(on.map(({ is }) => is))].join(" ")}`
    );
    assertEquals(
      states.filter((line) => /^0[3-8]/.test(line)),
      [...stages, "07-masquerade", "08-routes"].map((name) =>
        `${name} applied`
      ),
    );

    await lab.on("worker-1", cmd`mkdir -p /etc/containerd`);
    await lab.on("worker-1", cmd`sh -c ${debians}`);
    const json = () => overSsh("doctor", "-o", "json");
    const found = await json();
    assertEquals(found.code, 1, found.stderr);
    assertEquals(
      troubles(found, "worker-1").map((line) => line.split(",")[0]),
      [
        "programs: no program /opt/cni/bin/loopback: container runtimes call it for every pod",
        "runtime-folders: containerd's bin_dir is /usr/lib/cni",
      ],
    );
    const text = (await overSsh("doctor", "--node", "worker-1")).stdout;
    for (
      const line of [
        "ln -s /usr/lib/cni/loopback /opt/cni/bin/loopback",
        `sed -i 's|bin_dir *= .*|bin_dir = "/opt/cni/bin"|' /etc/containerd/config.toml`,
      ]
    ) {
      // Within the quotes of ARGS.
      assertStringIncludes(text, line.replaceAll("'", `'\\''`));
      await lab.on("worker-1", cmd`sh -c ${line}`);
    }
    // A link to a program of a package that may not be there.
    await lab.on("worker-1", cmd`ln -sf /bin/true /opt/cni/bin/loopback`);
    assertEquals(troubles(await json(), "worker-1"), []);
  },
);
