#!/usr/bin/env -S deno run -A
/** One more pod in the lab: `make pod NODE=worker-1 NAME=db`. */
import { printData, printNote, printText } from "../lib/cli/print.ts";
import {
  type CommandLine,
  type FlagsOf,
  option,
  switched,
} from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { failure } from "../lib/cli/report.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession } from "../lib/cli/session.ts";
import { noSuchNode, UsageError } from "../lib/cli/usage_error.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import { endOnePod, morePodsOn, startOnePod } from "../lib/verify/more_pods.ts";
import { podNames, server } from "../lib/verify/namespace_pods.ts";
import { workersOf } from "../lib/verify/matrix.ts";
import { look } from "../lib/verify/situation.ts";
import { stepRunnerFor } from "../lib/verify/step_runner.ts";

const command = {
  name: "pod",
  summary: "one more pod in the lab",
  usage: [
    "scripts/pod.ts --node NAME --name NAME [flags]",
    'make pod NODE=worker-1 NAME=db [ARGS="flags"]',
  ],
  text: [
    "Starts it as stage 09 starts its own: a network namespace, or a container, " +
    "that the plugin plugs in. It stays until --undo, make 09-verify ARGS=--undo " +
    "or make down. podsPerNode: in the cluster file has several started by 09.",
  ],
  examples: [
    ["make pod NODE=worker-1 NAME=db", "starts it, and names its address"],
    ["make pod NODE=worker-1 NAME=db ARGS=--undo", "takes it away"],
  ],
  flags: {
    node: option({
      name: "node",
      value: "NAME",
      does: "the node to start it on",
      // DENO_CNI_NODE is the mark of a lab node's processes.
      variable: "DENO_CNI_SHELL_NODE",
      read: String,
    }),
    name: option({
      name: "name",
      value: "NAME",
      does: "what it is called",
      expected: 'a-z, 0-9 and "-" inside, 63 characters at most',
      read: (value) =>
        /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value) ? value : undefined,
    }),
    undo: switched("undo", "take it away"),
    ...standard("cluster", "output", "quiet", "timeout_ms"),
  },
  lacks: {
    flags: ["dry-run", "step"],
    because: "make 09-verify ARGS=--dry-run shows how a pod is started",
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function pod(flags: Flags): Promise<number> {
  const { node, name, ...rest } = flags;
  if (node === undefined || name === undefined) {
    throw new UsageError(
      "expected --node and --name, e.g. make pod NODE=worker-1 NAME=db",
    );
  }
  await using session = await openSession(rest, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
  });
  const cluster = await session.cluster();
  check(cluster, node, name);
  const reach = session.reach(cluster);
  const { sites } = await look(cluster, reach, session.context, [node]);
  const site = sites.get(node);
  if (site === undefined) throw new TypeError(`no site ${node}`);
  const stepRunner = stepRunnerFor(session.context, cluster);
  const isThere = (await morePodsOn(site, stepRunner)).includes(name);
  const say = (text: string, addresses: readonly string[]) => {
    if (flags.output === "json") {
      printData({ version: 1, node, name, addresses });
    } else if (!flags.quiet) printText(text);
  };
  if (flags.undo) {
    if (isThere) await endOnePod(site, name, stepRunner);
    say(`${node}/${name}: ${isThere ? "gone" : "there is none"}`, []);
    return exitCode.done;
  }
  if (isThere) {
    throw new UsageError(
      `${node}/${name} is there already\nwhat to do: give another name, or\n  ` +
        makeLine("pod", cluster, { NODE: node, NAME: name, ARGS: ["--undo"] }),
    );
  }
  const { addresses } = await startOnePod(site, name, stepRunner);
  const lines = [
    makeLine("shell", cluster, { NODE: node, POD: name }),
    makeLine("trace", cluster, {
      FROM: `${node}/${name}`,
      TO: `${workersOf(cluster)[0]?.name ?? node}/${server}`,
    }),
  ];
  say(
    `${node}/${name}: ${addresses.join(", ")}\nLook at it:\n  ${
      lines.join("\n  ")
    }`,
    addresses,
  );
  return exitCode.done;
}

/** @throws {UsageError} */
function check(cluster: Cluster, node: string, name: string): void {
  const { file, provider, nodes } = cluster;
  if (provider !== "lab") {
    throw new UsageError(
      `${file} is no lab (provider: ${provider}): there, kubectl run starts pods`,
    );
  }
  const names = nodes.map(({ name }) => name);
  if (!names.includes(node)) throw noSuchNode(node, names, cluster);
  if (podNames.some((one) => one === name)) {
    throw new UsageError(
      `--name ${name}: stage 09 has a pod of that name; expected another`,
    );
  }
}

await runScript(command, pod);
