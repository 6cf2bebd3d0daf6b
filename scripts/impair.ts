#!/usr/bin/env -S deno run -A
/** Delay, loss and bandwidth of a lab's links: `make impair NODE=worker-1 ARGS="--loss 10"`. */
import { printData, printText } from "../lib/cli/print.ts";
import {
  type CommandLine,
  type FlagsOf,
  option,
  switched,
} from "../lib/cli/flags.ts";
import { standard } from "../lib/cli/standard_flags.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { runScript } from "../lib/cli/script.ts";
import { openSession, type Session } from "../lib/cli/session.ts";
import { noSuchNode, UsageError } from "../lib/cli/usage_error.ts";
import type { Cluster } from "../lib/cluster/cluster.ts";
import { makeLine } from "../lib/cluster/make_line.ts";
import type { Impairment } from "../lib/impair/impairment.ts";
import {
  clearLink,
  type ImpairedLink,
  impairedLinks,
  impairLink,
  type LinkEnd,
  podsOn,
} from "../lib/impair/links.ts";
import { columns } from "../lib/text/wrap.ts";
import { podOn } from "../lib/verify/namespace_pods.ts";

const command = {
  name: "impair",
  summary: "delay, loss and bandwidth of a link",
  usage: [
    "scripts/impair.ts [--node NAME [--pod NAME]] [flags]",
    'make impair [NODE=worker-1 [POD=shell]] [ARGS="flags"]',
  ],
  text: [
    "Impairs what leaves by a node's link to the others, or by a pod's to its " +
    "node: by netem where the kernel has it; else loss by nftables, bandwidth " +
    "by tbf, and no delay. Without flags it shows what is impaired. It goes by " +
    "--undo, or with the lab; make doctor lists it.",
  ],
  examples: [
    ["make impair", "shows every impaired link"],
    ['make impair NODE=worker-1 ARGS="--loss 10"', "a tenth gets lost"],
    [
      'make impair NODE=worker-1 POD=shell ARGS="--rate 1000"',
      "the pod sends at most 1 Mbit/s",
    ],
    ["make impair ARGS=--undo", "clears all of them"],
  ],
  flags: {
    node: option({
      name: "node",
      value: "NAME",
      does: "the node",
      // DENO_CNI_NODE is the mark of a lab node's processes.
      variable: "DENO_CNI_SHELL_NODE",
      read: String,
    }),
    pod: option({
      name: "pod",
      value: "NAME",
      does: "the pod of it",
      needs: "node",
      read: String,
    }),
    delay_ms: option({
      name: "delay",
      value: "MS",
      does: "how long each packet is kept, in milliseconds; needs netem",
      expected: "1 to 60000",
      read: (value) => numberWithin(value, 1, 60_000),
    }),
    loss_percent: option({
      name: "loss",
      value: "PERCENT",
      does: "how many packets get lost",
      expected: "0.01 to 100",
      read: (value) => numberWithin(value, 0.01, 100),
    }),
    rate_kbit: option({
      name: "rate",
      value: "KBIT",
      does: "how much leaves in a second at most, in kilobits",
      expected: "8 to 10000000",
      read: (value) => numberWithin(value, 8, 10_000_000),
    }),
    undo: switched("undo", "clear it: of this link, or of all"),
    ...standard("cluster", "output", "quiet", "timeout_ms"),
  },
  lacks: {
    flags: ["dry-run", "step"],
    because: "--undo takes it away at once",
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

function numberWithin(
  text: string,
  least: number,
  most: number,
): number | undefined {
  const value = /^\d+(\.\d{1,2})?$/.test(text) ? Number(text) : -1;
  return value >= least && value <= most ? value : undefined;
}

async function impair(flags: Flags): Promise<number> {
  const { node, pod, delay_ms, loss_percent, rate_kbit, undo, ...rest } = flags;
  const wanted: Impairment = {
    ...(delay_ms === undefined ? {} : { delay_ms }),
    ...(loss_percent === undefined ? {} : { loss_percent }),
    ...(rate_kbit === undefined ? {} : { rate_kbit }),
  };
  const isSet = Object.keys(wanted).length > 0;
  if (isSet && (undo || node === undefined)) {
    throw new UsageError(
      undo
        ? "--undo clears: it goes with none of --delay, --loss and --rate"
        : "expected --node with --delay, --loss or --rate, e.g. " +
          'make impair NODE=worker-1 ARGS="--loss 10"',
    );
  }
  const access = isSet || undo ? "changes" : "reads";
  await using session = await openSession(rest, () => {}, access);
  const cluster = await session.cluster();
  const ends = await endsOf(session, cluster, node, pod);
  if (isSet) {
    const end = ends.find((end) => end.pod === pod);
    if (end === undefined) {
      throw new TypeError(
        `expected ${node} among the links that were asked for`,
      );
    }
    await impairLink(end, wanted, session.context);
  }
  if (undo) {
    for (const end of ends) await clearLink(end, session.context);
  }
  const found = await impairedLinks(ends, session.context);
  if (flags.output === "json") printData({ version: 1, links: found });
  else if (!flags.quiet) printText(shown(found, cluster));
  return exitCode.done;
}

function shown(found: readonly ImpairedLink[], cluster: Cluster): string {
  if (found.length === 0) return "No link is impaired";
  const rows = found.map(({ node, pod, says }): [string, string] => [
    pod === undefined ? node : `${node}/${pod}`,
    says,
  ]);
  const undo = makeLine("impair", cluster, { ARGS: ["--undo"] });
  return `What leaves by these links:\n${
    columns(rows)
  }\nTo clear all of them: ${undo}`;
}

/**
 * The links that the flags name: of a pod, of a node with its pods, or all.
 *
 * @throws {UsageError}
 */
async function endsOf(
  session: Session,
  cluster: Cluster,
  node: string | undefined,
  pod: string | undefined,
): Promise<readonly LinkEnd[]> {
  if (cluster.provider !== "lab") {
    throw new UsageError(
      `${cluster.file} is no lab (provider: ${cluster.provider}): only a lab's ` +
        "links are impaired",
    );
  }
  const names = cluster.nodes.map(({ name }) => name);
  if (node !== undefined && !names.includes(node)) {
    throw noSuchNode(node, names, cluster);
  }
  const { nodeOf } = session.reach(cluster);
  const asked = node === undefined ? names : [node];
  const all = await Promise.all(asked.map(async (name) => {
    const runner = nodeOf(name);
    const pods = await podsOn(runner, session.context);
    if (pod !== undefined && !pods.includes(pod)) {
      throw new UsageError(
        `--pod ${pod}: ${name} has no such pod; expected ` +
          (pods.length === 0 ? "none: it has none" : pods.join(" or ")),
      );
    }
    const inside = pods.map((pod): LinkEnd => (
      { node: name, pod, runner: podOn(runner, pod) }
    ));
    return [{ node: name, runner }, ...inside];
  }));
  return all.flat().filter((end) => pod === undefined || end.pod === pod);
}

await runScript(command, impair);
