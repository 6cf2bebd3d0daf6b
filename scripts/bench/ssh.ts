/** The ssh part of `make bench`: the stages over ssh beside the lab's own transport. */
import { type BenchPart, median } from "../../lib/dev/bench_report.ts";
import {
  cmd,
  ending,
  type Outcome,
  succeeded,
} from "../../lib/exec/command.ts";
import { restartSshd, startSshLab } from "../../lib/ssh/sshd_testing.ts";
import { BenchError } from "./lab.ts";
import { scriptCommand, testLab } from "../tests/lab_testing.ts";
import { sshFile } from "../tests/ssh_testing.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

const rounds = 3;

const stages = [
  "03-cni-config",
  "04-bridge",
  "05-plugin",
  "06-forwarding",
  "07-masquerade",
  "08-routes",
  "09-verify",
];

/**
 * Runs stages 03 to 09 on the nodes of a lab, in turn by the lab's transport
 * and over ssh to an sshd on each node: connections opened and the plugin
 * packed and sent anew in every round.
 *
 * @throws {BenchError} when a command of ours fails
 */
export async function benchSsh(): Promise<BenchPart> {
  const title = `Stages 03 to 09 on three nodes, ${rounds} rounds each way`;
  const what = "stages 03 to 09 over ssh";
  const why = await whyNot();
  if (why !== undefined) {
    return { title, rows: [], notes: [`${what}: not measured: ${why}`] };
  }
  await using lab = await testLab("bench-ssh");
  for (const stage of ["01-provision", "02-kubeadm"]) {
    must(stage, await lab.script(stage));
  }
  const folder = lab.file.slice(0, lab.file.lastIndexOf("/"));
  const ssh = await startSshLab(lab.cluster, folder);
  const file = `${folder}/ssh.yaml`;
  const stateRoot = `${folder}/ssh-state`;
  await Deno.writeTextFile(file, sshFile("bench-ssh", lab.cluster));
  const ways = {
    lab: (stage: string, ...args: string[]) => lab.script(stage, ...args),
    ssh: (stage: string, ...args: string[]) => {
      const { argv } = scriptCommand(stage, file, ...args);
      return ssh.client(cmd`env DENO_CNI_STATE=${stateRoot} ${argv}`, 120_000);
    },
  };
  const times: Record<keyof typeof ways, number[]> = { lab: [], ssh: [] };
  must(
    "plugin",
    await run(
      cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/plugin.ts`,
    ),
  );
  for (let round = 0; round < rounds; round++) {
    for (const way of ["lab", "ssh"] as const) {
      const begun = performance.now();
      for (const stage of stages) must(stage, await ways[way](stage));
      times[way].push((performance.now() - begun) / 1000);
      for (const stage of stages.toReversed()) {
        must(stage, await ways.lab(stage, "--undo"));
      }
    }
    for (const { name } of lab.cluster.nodes) {
      await restartSshd(lab.cluster, name);
    }
    await Deno.remove(stateRoot, { recursive: true });
  }
  return {
    title,
    rows: [{
      what,
      ours: median(times.ssh),
      unit: "s",
      peer: { name: "the lab's transport", value: median(times.lab) },
      atMost: { of: "ratio", limit: 2 },
    }],
    notes: [],
  };
}

async function whyNot(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "sshd on a lab's nodes needs root";
  for (const program of ["sshd", "ssh"]) {
    const found = await run(cmd`sh -c ${'command -v "$1"'} find ${program}`);
    if (!succeeded(found)) {
      return `no ${program} here: apt-get install openssh-server openssh-client`;
    }
  }
  return undefined;
}

function must(what: string, outcome: Outcome): void {
  if (succeeded(outcome)) return;
  throw new BenchError(
    `${what}: ${ending(outcome)}: ${outcome.stderr.trim()}`,
  );
}
