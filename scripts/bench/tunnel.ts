/** The part of `make bench` about tunnels: TCP through one beside the plain way, by iperf3. */
import { type BenchPart, median } from "../../lib/dev/bench_report.ts";
import { cmd, succeeded } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { type TestLab, testLab } from "../tests/lab_testing.ts";
import { BenchError } from "./lab.ts";
import { manyNodes } from "./many_nodes.ts";

const rounds = 5;
const title = `TCP from node to node (iperf3, medians of ${rounds}, in turn)`;

/**
 * Sends as much as goes from one node to another, in turn to its address on the
 * segment and to its end of the tunnel.
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
  await using lab = await testLab(
    "bench-tunnel",
    (text) => manyNodes(/^name: (.*)$/m.exec(text)![1]!, "lab", "vxlan", 3),
  );
  const made = await lab.script("up", "-q");
  if (!succeeded(made)) {
    throw new BenchError(`up: ${made.stdout}${made.stderr}`);
  }
  const { tunnel, plain } = await sendInTurn(lab);
  const [through, beside] = [median(tunnel), median(plain)];
  return {
    title,
    rows: [{
      what: "the time for a GB, through the tunnel and without",
      ours: 8 / through,
      unit: "s",
      peer: { name: "plain route", value: 8 / beside },
      // As much as 0.8 of the plain way's rate.
      atMost: { of: "ratio", limit: 1.25 },
    }],
    notes: [
      `${through.toFixed(1)} Gbit/s through the tunnel, ` +
      `${beside.toFixed(1)} on the plain way: ` +
      `${(through / beside).toFixed(2)} of it`,
    ],
  };
}

async function sendInTurn(
  lab: TestLab,
): Promise<{ readonly tunnel: number[]; readonly plain: number[] }> {
  // It ends with the lab.
  await lab.on("node-2", cmd`iperf3 --server --daemon`);
  const tunnel: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < rounds; round++) {
    plain.push(await rate(lab, "10.0.1.4"));
    tunnel.push(await rate(lab, "10.240.2.0"));
  }
  return { tunnel, plain };
}

/** @returns Gbit/s */
async function rate(lab: TestLab, address: string): Promise<number> {
  const said = await lab.on(
    "node-1",
    cmd`iperf3 --json --time 2 --omit 1 --client ${address}`,
  );
  const { end } = JSON.parse(said) as {
    readonly end: {
      readonly sum_received: { readonly bits_per_second: number };
    };
  };
  return end.sum_received.bits_per_second / 1e9;
}
