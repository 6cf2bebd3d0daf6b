/** A plan for a thousand nodes: `--dry-run --no-probes` of all stages, in time and memory. */
import {
  type BenchPart,
  type Measured,
  median,
} from "../../lib/dev/bench_report.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { BenchError } from "./lab.ts";
import { type Kind, kinds, manyNodes } from "./many_nodes.ts";

const nodes = 1000;
const runs = 3;

/** What stage 09's plan may take, of the same cluster whatever its routes are. */
const verifyBounds = { time_s: 15, peak_MB: 400 };

/** What a plan may take, by kind; "where each ends" is where it takes more. */
const bounds: Readonly<Record<Kind, Took>> = {
  host: { time_s: 5, peak_MB: 350 },
  vxlan: { time_s: 12, peak_MB: 400 },
  bgp: { time_s: 8, peak_MB: 550 },
};

const notes: Readonly<Record<Kind, string>> = {
  host:
    "host: a million routes, each also in its node's file for the next boot; " +
    "applying them ends earlier, at some hundred nodes (README.md)",
  vxlan: "vxlan: three million steps: an entry, a neighbour and a route for " +
    "each other node; ends where host does, for it has three times as many",
  bgp: "bgp: a configuration a node, and the reflectors' sessions; what is " +
    "waited for is n² podCIDRs, and no step",
};

/**
 * Measures the plan for each kind of routes; touches no machine.
 *
 * @throws {BenchError} when a plan cannot be made
 */
export async function benchPlan(): Promise<BenchPart> {
  const folder = await Deno.makeTempDir();
  const rows: Measured[] = [];
  try {
    for (const kind of kinds) {
      const file = `${folder}/thousand-${kind}.yaml`;
      const text = manyNodes("thousand", "ssh", kind, nodes);
      await Deno.writeTextFile(file, text);
      const measured = [];
      for (let run = 0; run < runs; run++) {
        measured.push(await planOnce("up", file, `${folder}/state`));
      }
      rows.push(...rowsOf(kind, measured, bounds[kind]));
      if (kind !== "host") continue;
      const verify = await planOnce("09-verify", file, `${folder}/state`);
      rows.push(...rowsOf("09 (once)", [verify], verifyBounds));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return {
    title:
      `A plan for ${nodes} nodes, all stages, nobody asked (medians of ${runs})`,
    rows,
    notes: [
      ...kinds.map((kind) => notes[kind]),
      "09: a call for each of three million paths, 130 MB of text",
    ],
  };
}

/** What a plan took. */
interface Took {
  readonly time_s: number;
  readonly peak_MB: number;
}

function rowsOf(
  what: string,
  measured: readonly Took[],
  bounds: Took,
): Measured[] {
  return [{
    what: `${what}: time`,
    ours: median(measured.map(({ time_s }) => time_s)),
    unit: "s",
    atMost: { of: "value", limit: bounds.time_s },
  }, {
    what: `${what}: peak memory`,
    ours: median(measured.map(({ peak_MB }) => peak_MB)),
    unit: "MB",
    atMost: { of: "value", limit: bounds.peak_MB },
  }];
}

async function planOnce(
  script: "up" | "09-verify",
  file: string,
  state: string,
): Promise<Took> {
  const args = [
    ...["run", "-A", "--no-check", `${projectRoot}/scripts/${script}.ts`],
    ...["--cluster", file, "--dry-run", "--no-probes"],
  ];
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args,
    env: { DENO_CNI_STATE: state },
    stdout: "null",
  }).spawn();
  const peak_MB = watchPeak(child.pid);
  const { success, code } = await child.status;
  const peak = peak_MB();
  if (!success) {
    throw new BenchError(
      `up --dry-run of ${file}: exit code ${code}; see above`,
    );
  }
  const time_s = (performance.now() - start) / 1000;
  return { time_s, peak_MB: peak };
}

/**
 * Looks at a process' memory until it is asked for it.
 *
 * @returns a function that gives the most that was ever resident, in MB
 */
export function watchPeak(pid: number): () => number {
  let peak_kB = 0;
  const timer = setInterval(async () => {
    peak_kB = Math.max(peak_kB, await highWater_kB(pid));
  }, 50);
  return () => {
    clearInterval(timer);
    return peak_kB / 1024;
  };
}

/** proc(5), status: VmHWM, the most that was ever resident. */
async function highWater_kB(pid: number): Promise<number> {
  try {
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    return Number(status.match(/^VmHWM:\s+(\d+) kB$/m)?.[1] ?? 0);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0; // It has ended.
    throw error;
  }
}
