/**
 * Whether the real aws and gcloud understand every command that stages 01 and 08
 * plan: both read their arguments before they look for credentials. They run in
 * a network namespace without a way out, so nothing can come of it.
 */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertMatch } from "@std/assert";
import { type Cluster } from "../../lib/cluster/cluster.ts";
import { splitClusterCIDR } from "../../lib/net/cidr.ts";
import {
  cmd,
  type Command,
  type Outcome,
  show,
} from "../../lib/exec/command.ts";
import { undoOf } from "../../lib/stage/stage.ts";
import { provision } from "../01-provision.ts";
import { routes } from "../08-routes.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { parseCluster } from "../../lib/cluster/load.ts";

/** A cluster of this cloud in a folder of the test's own, as if 01 and 02 had run. */
async function clusterOf(
  cloud: "aws" | "gcp",
  folder: string,
): Promise<Cluster> {
  const text = await Deno.readTextFile(`${projectRoot}/config/${cloud}.yaml`);
  const fixed = text.replace("# project: my-project", "project: my-project");
  const cluster = parseCluster(fixed, "c.yaml", folder);
  const podCIDRs = splitClusterCIDR(cluster);
  for (
    const [file, content] of [
      ["../machines.json", "[]"],
      ["ssh_from.yaml", "--source-ranges: 198.51.100.7/32\n"],
      ["ssh-keys", "ubuntu:ssh-ed25519 AAAA x\n"],
    ] as const
  ) {
    await Deno.mkdir(`${cluster.stateDir}/gcloud`, { recursive: true });
    await Deno.writeTextFile(`${cluster.stateDir}/gcloud/${file}`, content);
  }
  return {
    ...cluster,
    // One is enough: they differ by names alone.
    nodes: cluster.nodes.slice(0, 1).map((node, at) => ({
      ...node,
      podCIDRs: podCIDRs[node.name] ?? [],
      machine: { id: `i-${at}`, interfaceId: `eni-${at}` },
    })),
    routeTableId: "rtb-1",
  };
}

/** Every command of these stages that calls the program, by itself or in a script of lib/cloud/. */
function commandsOf(cluster: Cluster, program: string): Command[] {
  const steps = [provision, routes].flatMap((stage) =>
    stage.operator?.steps(cluster) ?? []
  );
  const all = steps.flatMap(({ run, doneWhen, ...step }) => [
    ...("copy" in run ? [] : [run]),
    ...(doneWhen === undefined ? [] : [doneWhen.ask]),
    ...[undoOf(step) ?? []].flat(),
  ]);
  const calls = all.filter(({ argv }) =>
    argv[0] !== Deno.execPath() &&
    argv.some((part) =>
      part === program || /cloud\/(aws|gcp)_\w+\.sh$/.test(part)
    )
  );
  // The script goes on to this one where there is such a route already.
  const replacing = calls.flatMap(({ argv }) =>
    argv.some((part) => part.endsWith("/aws_create_route.sh"))
      ? [cmd`aws ec2 replace-route ${argv.slice(2)}`]
      : []
  );
  const different = new Map(
    [...calls, ...replacing].map((call) => [show(call), call]),
  );
  return [...different.values()];
}

interface Tool {
  readonly program: "aws" | "gcloud";
  readonly cloud: "aws" | "gcp";
  /** How many commands there are at least. */
  readonly least: number;
  /** What it says where it understood its arguments, and found no credentials. */
  readonly understood: RegExp;
}

const tools: readonly Tool[] = [{
  program: "aws",
  cloud: "aws",
  least: 6,
  understood: /Unable to locate credentials/,
}, {
  program: "gcloud",
  cloud: "gcp",
  least: 20,
  understood: /You do not currently have an active account selected/,
}];

for (const { program, cloud, least, understood } of tools) {
  const there = (await run(cmd`${program} --version`)).code === 0;
  Deno.test({
    name:
      `the real ${program} understands every command that is planned for it (needs root and ${program})`,
    ignore: !there || Deno.uid() !== 0,
    async fn() {
      const folder = await Deno.makeTempDir();
      try {
        const cluster = await clusterOf(cloud, folder);
        const commands = commandsOf(cluster, program);
        assert(commands.length >= least, `${commands.length} commands`);
        for (const command of commands) {
          const { code, stderr } = await alone(command, folder);
          assert(code !== 0, `${show(command)} succeeded`);
          assertMatch(stderr, understood, show(command));
        }
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}

/** Runs a command without a network, and without an account of anybody's. */
function alone({ argv }: Command, folder: string): Promise<Outcome> {
  return run(cmd`unshare --net ${argv}`, {
    env: {
      PATH: Deno.env.get("PATH") ?? "",
      HOME: folder,
      CLOUDSDK_CONFIG: `${folder}/no-account`,
      CLOUDSDK_CORE_CHECK_GCE_METADATA: "false",
      CLOUDSDK_CORE_DISABLE_USAGE_REPORTING: "true",
      AWS_EC2_METADATA_DISABLED: "true",
    },
    timeout_ms: 60_000,
  });
}
