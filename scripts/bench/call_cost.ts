/** What a call costs the processors, in the caller's processes and in the daemon. */
import type { Measured } from "../../lib/dev/bench_report.ts";
import { cmd } from "../../lib/exec/command.ts";
import type { TestNode } from "../../plugin/sandbox_testing.ts";
import { BenchError } from "./lab.ts";
import type { Program } from "./plugin_node.ts";

const pairs = 50;

/** Of one ADD and its DEL. */
interface Cost {
  readonly cpu_ms: number;
  /** Undefined where the machine counts none. */
  readonly instructions_M: number | undefined;
}

/** Each call's input is in the pipe before the plugin starts, as runtimes do it. */
const loop = `plugin=$1 input=$2 left=$3
  while [ "$left" -gt 0 ]; do
    left=$((left - 1))
    for command in ADD DEL; do
      printf %s "$input" | CNI_COMMAND=$command "$plugin" >/run/said || exit 1
    done
  done`;

/**
 * Measures pairs of ADD and DEL by perf-stat(1): of the calls' own processes, and
 * of the daemon meanwhile.
 * @param daemon its process ID
 * @param floor a program that does nothing; what it takes is the loop's own
 * @returns rows for each figure that the machine has, and why others are absent
 */
export async function callCost(
  node: TestNode,
  daemon: number,
  ours: Program,
  reference: Program,
  floor: Program,
): Promise<{ rows: Measured[]; notes: string[] }> {
  if ((await node.run(cmd`perf --version`)).code !== 0) {
    return { rows: [], notes: ["a call's cost: perf is not installed"] };
  }
  const nothing = await costOf(node, floor, undefined);
  const own = less(await costOf(node, ours, daemon), nothing);
  const peer = less(await costOf(node, reference, undefined), nothing);
  const what = "of an ADD and its DEL, the daemon's included";
  const rows: Measured[] = [{
    what: `CPU time ${what}`,
    ours: own.cpu_ms,
    unit: "ms",
    peer: { name: "reference", value: peer.cpu_ms },
  }];
  const [counted, peers] = [own.instructions_M, peer.instructions_M];
  if (counted === undefined || peers === undefined) {
    return { rows, notes: ["this machine's perf counts no instructions"] };
  }
  rows.push({
    what: `instructions ${what}`,
    ours: counted,
    unit: "M",
    peer: { name: "reference", value: peers },
  });
  return { rows, notes: [] };
}

function less(cost: Cost, nothing: Cost): Cost {
  const [all, idle] = [cost.instructions_M, nothing.instructions_M];
  return {
    cpu_ms: cost.cpu_ms - nothing.cpu_ms,
    instructions_M: all === undefined || idle === undefined
      ? undefined
      : all - idle,
  };
}

async function costOf(
  node: TestNode,
  { path, input, netns }: Program,
  daemon: number | undefined,
): Promise<Cost> {
  const [calls, served] = ["/run/perf.calls", "/run/perf.daemon"];
  const stat = "perf stat -x , -e task-clock,instructions -o".split(" ");
  const around = daemon === undefined ? [] : [...stat, served, "-p", daemon];
  const env = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    CNI_CONTAINERID: "cost",
    CNI_NETNS: netns,
    CNI_IFNAME: "eth0",
    CNI_PATH: "/usr/lib/cni",
  };
  await node.must(cmd`sh -c ${": >" + served}`);
  const { code, stderr } = await node.run(
    cmd`${around} ${stat} ${calls} sh -c ${loop} loop ${path} ${
      JSON.stringify(input)
    } ${pairs}`,
    env,
  );
  if (code !== 0) {
    throw new BenchError(`perf stat of ${path}: exit code ${code}: ${stderr}`);
  }
  const texts = [calls, served].map((file) => node.must(cmd`cat ${file}`));
  return sum((await Promise.all(texts)).map(readStat));
}

/** Source: perf-stat(1), "CSV FORMAT": value, unit, event, …; the clock in ms. */
function readStat(text: string): Cost {
  const value = (event: string) => {
    const line = text.split("\n").find((line) =>
      line.split(",")[2]?.startsWith(event)
    );
    const number = Number(line?.split(",")[0] || NaN);
    return Number.isNaN(number) ? undefined : number;
  };
  const instructions = value("instructions");
  return {
    cpu_ms: value("task-clock") ?? 0,
    instructions_M: text === "" ? 0 : instructions && instructions / 1_000_000,
  };
}

function sum(costs: readonly Cost[]): Cost {
  let [cpu_ms, instructions_M]: [number, number | undefined] = [0, 0];
  for (const cost of costs) {
    cpu_ms += cost.cpu_ms / pairs;
    instructions_M = cost.instructions_M === undefined ||
        instructions_M === undefined
      ? undefined
      : instructions_M + cost.instructions_M / pairs;
  }
  return { cpu_ms, instructions_M };
}
