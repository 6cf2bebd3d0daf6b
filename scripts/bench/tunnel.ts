/** The part of `make bench` about tunnels: TCP through one beside the plain way, by iperf3. */
import type { BenchPart } from "../../lib/dev/bench_report.ts";
import { cmd, succeeded } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";
import { type TestLab, testLab } from "../tests/lab_testing.ts";
import { BenchError } from "./lab.ts";

const rounds = 5;
const title =
  `TCP to another segment (iperf3, the middle one of ${rounds} rounds)`;

/** A lab of two segments, and the addresses beyond its router that are sent to. */
interface Side {
  readonly lab: TestLab;
  readonly pod: string;
  readonly node: string;
}

/** What is sent from where to where. */
interface Way {
  /** The words that run a command where it is sent from, on worker-1. */
  readonly enter: readonly string[];
  readonly to: "pod" | "node";
  /** How much iperf3 hands to the kernel at once. */
  readonly length: "1M" | "128K";
}

const shell = ["ip", "netns", "exec", "shell"];
const pods: Way = { enter: shell, to: "pod", length: "1M" };
const nodes: Way = { enter: ["env"], to: "node", length: "1M" };
/** As iperf3 does where it is told nothing. */
const shortWrites: Way = { ...pods, length: "128K" };

/** Gbit/s through the tunnel and by the plain route, one right after the other. */
interface Rates {
  readonly through: number;
  readonly beside: number;
}

/**
 * Sends as much as goes from a pod to one beyond the router, in turn in a lab with
 * tunnels and in one whose router knows where the pods are; and from node to node.
 *
 * @throws {BenchError} when a command of ours fails
 */
export async function benchTunnel(): Promise<BenchPart> {
  for (const [program, name] of [["iperf3", "iperf3"], ["bird", "bird2"]]) {
    if (succeeded(await run(cmd`sh -c ${`command -v ${program}`}`))) continue;
    const left =
      `left out: ${program} is not installed: apt-get install ${name}`;
    return { title, rows: [], notes: [left] };
  }
  await using tunnelled = await labOf("vxlan");
  await using plain = await labOf("bgp");
  const sides = [
    await sideOf(tunnelled, "10.244.2.0"),
    await sideOf(plain, "10.0.2.12"),
  ] as const;
  const bulk = await ratesOf(sides, pods);
  return {
    title,
    rows: [{
      what: "the time for a GB from pod to pod, by tunnel and without",
      ours: 8 / bulk.through,
      unit: "s",
      peer: { name: "plain route", value: 8 / bulk.beside },
      // As much as 0.8 of the plain way's rate.
      atMost: { of: "ratio", limit: 1.25 },
    }],
    notes: [
      `from pod to pod ${compared(bulk)}`,
      `from node to node ${compared(await ratesOf(sides, nodes))}`,
      `from pod to pod in writes of 128 KiB, which fill two packets of the plain ` +
      "route and two and a bit of the tunnel's: " +
      compared(await ratesOf(sides, shortWrites)),
    ],
  };
}

function compared({ through, beside }: Rates): string {
  return `${through.toFixed(1)} Gbit/s through the tunnel, ` +
    `${beside.toFixed(1)} by the plain route: ` +
    `${(through / beside).toFixed(2)} of it`;
}

async function labOf(kind: "vxlan" | "bgp"): Promise<TestLab> {
  const file = `${projectRoot}/config/lab-two-segments.yaml`;
  const text = await Deno.readTextFile(file);
  const name = `bench-${kind}`;
  return await testLab(name, () => {
    const named = text.replace("name: lab-two\n", `name: ${name}\n`);
    if (kind === "vxlan") return named;
    return named.replace("routes: vxlan", "routes: bgp")
      .replace(/^vxlan:\n( {2}.*\n)+/m, "");
  });
}

async function sideOf(lab: TestLab, node: string): Promise<Side> {
  const made = await lab.script("up", "-q");
  if (!succeeded(made)) {
    throw new BenchError(`up: ${made.stdout}${made.stderr}`);
  }
  // Both end with the lab.
  await lab.on("worker-2", cmd`ip netns exec web iperf3 --server --daemon`);
  await lab.on("worker-2", cmd`iperf3 --server --daemon`);
  const text = await lab.on("worker-2", cmd`ip -n web -4 -o addr show eth0`);
  const pod = /inet ([\d.]+)/.exec(text)?.[1];
  if (pod === undefined) throw new BenchError(`no address of a pod: ${text}`);
  return { lab, pod, node };
}

/** The round in the middle by its ratio: a machine that is slow for a while is so for both. */
async function ratesOf(
  [tunnelled, plain]: readonly [Side, Side],
  way: Way,
): Promise<Rates> {
  const measured: Rates[] = [];
  for (let round = 0; round < rounds; round++) {
    measured.push({
      through: await rate(tunnelled, way),
      beside: await rate(plain, way),
    });
  }
  measured.sort((a, b) => a.through / a.beside - b.through / b.beside);
  const middle = measured[Math.floor(rounds / 2)];
  if (middle === undefined) throw new BenchError("no round was measured");
  return middle;
}

/** @returns Gbit/s */
async function rate(side: Side, { enter, to, length }: Way): Promise<number> {
  const said = await side.lab.on(
    "worker-1",
    cmd`${enter} iperf3 --json --time 2 --omit 1 --length ${length} --client ${
      side[to]
    }`,
  );
  const { end } = JSON.parse(said) as {
    readonly end: {
      readonly sum_received: { readonly bits_per_second: number };
    };
  };
  return end.sum_received.bits_per_second / 1e9;
}
