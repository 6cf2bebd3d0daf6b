/** The part of `make bench` about labs of many nodes, by the kind of their routes. */
import type {
  BenchPart,
  Measured,
  NotMeasured,
} from "../../lib/dev/bench_report.ts";
import {
  type Interruption,
  listenForInterruption,
} from "../../lib/cli/interruption.ts";
import { cmd } from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/names.ts";
import { membersOf, takeSnapshot } from "../../lib/lab/processes.ts";
import { scriptCommand, type TestLab, testLab } from "../tests/lab_testing.ts";
import { BenchError } from "./lab.ts";
import { type Kind, kinds, manyNodes } from "./many_nodes.ts";
import { watchPeak } from "./plan.ts";

/** How many nodes, and in what time `make up` has to be over. */
const sizes = [
  { nodes: 30, up_s: 20 },
  { nodes: 60 },
] as const;

/** A lab that is not up by then will not be. */
const limit_ms = 10 * 60_000;

/**
 * Makes a lab of each size and kind, and adds a node to it. Each is gone before
 * the next begins, also after Ctrl-C. Where one fails, its row says so, and the
 * next is made.
 *
 * @throws {BenchError} when it is interrupted
 */
export async function benchScale(): Promise<BenchPart> {
  using interruption = listenForInterruption();
  const rows: (Measured | NotMeasured)[] = [];
  for (const kind of kinds) {
    for (const size of sizes) {
      rows.push(...await measureOrSay(kind, size, interruption));
    }
  }
  return {
    title: "Labs of many nodes (one run each)",
    rows,
    notes: [
      "adding a node: all nine stages again, on a lab that is up",
      "a node's routes: those that stage 08 or its daemon has put in",
    ],
  };
}

/** How large a lab is, and in what time it has to be up. */
interface Size {
  readonly nodes: number;
  readonly up_s?: number;
}

async function measureOrSay(
  kind: Kind,
  size: Size,
  interruption: Interruption,
): Promise<(Measured | NotMeasured)[]> {
  try {
    return await measure(kind, size, interruption);
  } catch (error) {
    // Whatever became of this lab, the others can be measured.
    if (interruption.stopping() || !(error instanceof Error)) throw error;
    return [{ what: `${kind}, ${size.nodes} nodes`, failed: error.message }];
  }
}

async function measure(
  kind: Kind,
  { nodes, up_s }: Size,
  interruption: Interruption,
): Promise<Measured[]> {
  const name = `many-${kind}-${nodes}`;
  await using lab = await testLab(
    name,
    () => manyNodes(name, "lab", kind, nodes),
  );
  const what = `${kind}, ${nodes} nodes`;
  const up = await raised(lab, interruption);
  const held = await routesOf(lab, "node-1");
  const holders_MB = await memory(lab);
  await Deno.writeTextFile(
    lab.file,
    manyNodes(name, "lab", kind, nodes + 1),
  );
  const more = await raised(lab, interruption);
  return [{
    what: `${what}: make up`,
    ours: up.time_s,
    unit: "s",
    ...(up_s === undefined ? {} : { atMost: { of: "value", limit: up_s } }),
  }, {
    what: `${what}: processor time of that`,
    ours: up.cpu_s,
    unit: "s",
  }, {
    what: `${what}: adding one`,
    ours: more.time_s,
    unit: "s",
  }, {
    what: `${what}: routes of a node`,
    ours: held,
    unit: "routes",
  }, {
    what: `${what}: memory of all that stays (PSS)`,
    ours: holders_MB,
    unit: "MB",
  }, {
    what: `${what}: peak memory of make up itself`,
    ours: up.peak_MB,
    unit: "MB",
  }];
}

/** What all nine stages took. */
interface Raised {
  readonly time_s: number;
  /** Of this process and of all that it started and waited for. */
  readonly cpu_s: number;
  readonly peak_MB: number;
}

/** Runs all nine stages. */
async function raised(
  lab: TestLab,
  interruption: Interruption,
): Promise<Raised> {
  const { signal, stopping } = interruption;
  if (stopping()) throw new BenchError("interrupted");
  const [program, ...args] = scriptCommand("up", lab.file).argv;
  const start_ms = performance.now();
  const start_s = childrenCpu_s();
  const child = new Deno.Command(program, {
    args,
    env: lab.env,
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const interrupt = () => child.kill("SIGINT");
  signal.addEventListener("abort", interrupt, { once: true });
  const peak_MB = watchPeak(child.pid);
  const timer = setTimeout(() => child.kill("SIGKILL"), limit_ms);
  const { success, stdout, stderr } = await child.output();
  clearTimeout(timer);
  signal.removeEventListener("abort", interrupt);
  const peak = peak_MB();
  const time_s = (performance.now() - start_ms) / 1000;
  const cpu_s = childrenCpu_s() - start_s;
  if (stopping()) throw new BenchError("interrupted");
  if (success) return { time_s, cpu_s, peak_MB: peak };
  const said = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  throw new BenchError(
    `up of ${lab.cluster.name} after ${time_s.toFixed(0)} s: ` +
      said.join("").trimEnd().slice(-2000),
  );
}

/** The processor time of children that were waited for (proc_pid_stat(5), cutime and cstime). */
function childrenCpu_s(): number {
  const stat = Deno.readTextFileSync("/proc/self/stat");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[13]) + Number(fields[14]);
  return ticks / 100; // USER_HZ, which is 100 on all of Linux
}

async function routesOf(lab: TestLab, node: string): Promise<number> {
  const printed = await lab.on(node, cmd`ip -4 route show`);
  return printed.split("\n").filter((line) =>
    line.includes(" proto ") &&
    !line.includes(" proto kernel ")
  ).length;
}

/** The proportional set size of all processes of a lab (proc_pid_smaps(5)), in MB. */
async function memory({ cluster }: TestLab): Promise<number> {
  let kB = 0;
  for (const { pid } of membersOf(takeSnapshot(), labId(cluster))) {
    const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`)
      .catch(() => ""); // One that ends meanwhile does not stay.
    kB += Number(/^Pss: +(\d+) kB$/m.exec(text)?.[1] ?? 0);
  }
  return kB * 1024 / 1e6;
}
