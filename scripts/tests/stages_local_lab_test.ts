/** Stages on machines that lack something: a program, permission, another machine. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, withInput } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { scriptCommand } from "./lab_testing.ts";
import { done, overDirectory, provisioned, stateOf } from "./stages_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

rooted(
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

rooted(
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

rooted(
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
