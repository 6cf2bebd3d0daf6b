/** The part of `make bench` about what shows a lab: tour, trace, picture, status. */
import {
  type BenchPart,
  type Measured,
  median,
} from "../../lib/dev/bench_report.ts";
import { cmd, ending } from "../../lib/exec/command.ts";
import { BenchError } from "./lab.ts";
import { type TestLab, testLab } from "../tests/lab_testing.ts";
import { exitCode } from "../../lib/cli/exit_code.ts";

const rounds = 5;

const path = ["--from", "worker-1/shell", "--to", "worker-2/web"];

interface Look {
  readonly what: string;
  readonly script: string;
  readonly args: readonly string[];
  /** In seconds. */
  readonly limit: number;
}

const looks: readonly Look[] = [
  {
    what: "trace: a packet from a pod to one of another node, there and back",
    script: "trace",
    args: path,
    limit: 2,
  },
  {
    what: "picture: three nodes as SVG",
    script: "picture",
    args: [],
    limit: 1,
  },
  {
    what: "status: stages, drift, pods and leases of three nodes",
    script: "status",
    args: [],
    limit: 1,
  },
  {
    what: "doctor: every known trap on three nodes",
    script: "doctor",
    args: [],
    limit: 1,
  },
];

/**
 * Takes the tour once on a lab of its own, and looks at another with each script.
 *
 * @throws {BenchError} when a command of ours fails
 */
export async function benchLook(): Promise<BenchPart> {
  return {
    title: `To understand a lab (medians of ${rounds}; the tour once)`,
    rows: [await tour(), ...await lookAround()],
    notes: [],
  };
}

async function tour(): Promise<Measured> {
  await using lab = await testLab("bench-tour");
  return row("tour, without waiting for Enter", 25, [
    await timed(lab, "tour", ["-y"]),
  ]);
}

async function lookAround(): Promise<Measured[]> {
  await using lab = await testLab("bench-look");
  await timed(lab, "up");
  const rows: Measured[] = [];
  for (const { what, script, args, limit } of looks) {
    const times: number[] = [];
    for (let round = 0; round < rounds; round++) {
      times.push(await timed(lab, script, args));
    }
    rows.push(row(what, limit, times));
  }
  // The slowest to find: it takes packets of several sizes.
  await lab.on("outside", cmd`ip link set dev worker-2 mtu 1400`);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    times.push(await timed(lab, "trace", path, exitCode.failed));
  }
  rows.push(row("trace: the same path with an MTU too small on it", 2, times));
  return rows;
}

function row(
  what: string,
  limit: number,
  times: readonly number[],
): Measured {
  const atMost = { of: "value", limit } as const;
  return { what, ours: median(times), unit: "s", atMost };
}

/** @returns how long the script took, in seconds */
async function timed(
  lab: TestLab,
  script: string,
  args: readonly string[] = [],
  expected: number = exitCode.done,
): Promise<number> {
  const begun_ms = performance.now();
  const outcome = await lab.script(script, ...args);
  const took_ms = performance.now() - begun_ms;
  if (outcome.code === expected) return took_ms / 1000;
  throw new BenchError(
    `${script}: ${ending(outcome)}: ${outcome.stderr.trim()}`,
  );
}
