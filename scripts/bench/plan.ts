/** A plan for a thousand nodes: `--dry-run --no-probes` of all stages, in time and memory. */
import { type BenchPart, median } from "../../lib/dev/bench_report.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

const nodes = 1000;
const runs = 3;

/** A cluster of machines that exist, all on one segment, each with routes to all others. */
function clusterFile(): string {
  const lines = [
    "name: thousand",
    "provider: ssh",
    "clusterCIDR: 10.240.0.0/12",
    "segmentCIDR: 10.0.0.0/16",
    "nodes:",
  ];
  for (let at = 0; at < nodes; at++) {
    lines.push(
      `  - name: node-${at}`,
      `    role: ${at === 0 ? "control-plane" : "worker"}`,
      `    address: 10.0.${1 + Math.floor(at / 250)}.${2 + at % 250}`,
    );
  }
  return lines.join("\n") + "\n";
}

/** Measures the plan; touches no machine. */
export async function benchPlan(): Promise<BenchPart> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/thousand.yaml`;
    await Deno.writeTextFile(file, clusterFile());
    const measured = [];
    for (let run = 0; run < runs; run++) {
      measured.push(await planOnce(file, `${folder}/state`));
    }
    return {
      title:
        `A plan for ${nodes} nodes, all stages, nobody asked (${runs} runs)`,
      rows: [{
        what: "time",
        ours: median(measured.map(({ time_s }) => time_s)),
        unit: "s",
        atMost: { of: "value", limit: 3 },
      }, {
        what: "peak memory",
        ours: median(measured.map(({ peak_MB }) => peak_MB)),
        unit: "MB",
        atMost: { of: "value", limit: 300 },
      }],
      notes: ["a million routes, two lines each, go to /dev/null"],
    };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function planOnce(
  file: string,
  state: string,
): Promise<{ time_s: number; peak_MB: number }> {
  const args = [
    ...["run", "-A", "--no-check", `${projectRoot}/scripts/up.ts`],
    ...["--cluster", file, "--dry-run", "--no-probes"],
  ];
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args,
    env: { DENO_CNI_STATE: state },
    stdout: "null",
  }).spawn();
  let peak_kB = 0;
  const timer = setInterval(async () => {
    peak_kB = Math.max(peak_kB, await highWater_kB(child.pid));
  }, 50);
  const { success } = await child.status;
  clearInterval(timer);
  if (!success) throw new Error("the plan for the bench failed; see above");
  const time_s = (performance.now() - start) / 1000;
  return { time_s, peak_MB: peak_kB / 1024 };
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
