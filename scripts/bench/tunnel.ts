/** The part of `make bench` about tunnels: TCP through one beside the plain way, by iperf3. */
import { type BenchPart, median } from "../../lib/dev/bench_report.ts";
import { cmd, succeeded } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { type TestLab, testLab } from "../tests/lab_testing.ts";
import { BenchError } from "./lab.ts";
import { manyNodes } from "./many_nodes.ts";

const rounds = 5;
const title = `TCP through a tunnel (iperf3, medians of ${rounds}, in turn)`;

/** A lab, and where its second worker's pod is reached. */
interface Side {
  readonly lab: TestLab;
  readonly pod: string;
}

/**
 * Sends as much as goes from a pod to one on another node, in turn in a lab with
 * tunnels and in one with plain routes; and from node to node, in the first of them.
 *
 * @throws {BenchError} when a command of ours fails
 */
export async function benchTunnel(): Promise<BenchPart> {
  const found = await run(cmd`sh -c ${"command -v iperf3"}`);
  if (!succeeded(found)) {
    return {
      title,
      rows: [],
      notes: ["left out: iperf3 is not installed: apt-get install iperf3"],
    };
  }
  await using tunnelled = await labOf("vxlan");
  await using plain = await labOf("host");
  const sides = [await sideOf(tunnelled), await sideOf(plain)] as const;
  await tunnelled.on("node-2", cmd`iperf3 --server --daemon`);
  const pods: [number[], number[]] = [[], []];
  const nodes: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    for (const at of [0, 1] as const) {
      const { lab, pod } = sides[at];
      const end = ["10.240.2.0", "10.0.1.4"][at] ?? "";
      pods[at].push(await rate(lab, ["ip", "netns", "exec", "shell"], pod));
      nodes[at].push(await rate(tunnelled, ["env"], end));
    }
  }
  const [through, beside] = [median(pods[0]), median(pods[1])];
  return {
    title,
    rows: [{
      what: "the time for a GB from pod to pod, by tunnel and without",
      ours: 8 / through,
      unit: "s",
      peer: { name: "plain route", value: 8 / beside },
      // As much as 0.8 of the plain way's rate.
      atMost: { of: "ratio", limit: 1.25 },
    }],
    notes: [
      `from pod to pod ${compared(through, beside)}`,
      `from node to node ${compared(median(nodes[0]), median(nodes[1]))}`,
    ],
  };
}

function compared(through: number, beside: number): string {
  return `${through.toFixed(1)} Gbit/s through the tunnel, ` +
    `${beside.toFixed(1)} by the plain route: ` +
    `${(through / beside).toFixed(2)} of it`;
}

async function labOf(kind: "vxlan" | "host"): Promise<TestLab> {
  return await testLab(
    `bench-${kind}`,
    (text) => manyNodes(/^name: (.*)$/m.exec(text)![1]!, "lab", kind, 3),
  );
}

async function sideOf(lab: TestLab): Promise<Side> {
  const made = await lab.script("up", "-q");
  if (!succeeded(made)) {
    throw new BenchError(`up: ${made.stdout}${made.stderr}`);
  }
  // It ends with the lab.
  await lab.on("node-2", cmd`ip netns exec web iperf3 --server --daemon`);
  const text = await lab.on("node-2", cmd`ip -n web -4 -o addr show dev eth0`);
  const pod = /inet ([\d.]+)/.exec(text)?.[1];
  if (pod === undefined) throw new BenchError(`no address of a pod: ${text}`);
  return { lab, pod };
}

/**
 * @param enter the words that run a command where it is to be sent from, on node-1
 * @returns Gbit/s
 */
async function rate(
  lab: TestLab,
  enter: readonly string[],
  address: string,
): Promise<number> {
  const said = await lab.on(
    "node-1",
    cmd`${enter} iperf3 --json --time 2 --omit 1 --client ${address}`,
  );
  const { end } = JSON.parse(said) as {
    readonly end: {
      readonly sum_received: { readonly bits_per_second: number };
    };
  };
  return end.sum_received.bits_per_second / 1e9;
}
