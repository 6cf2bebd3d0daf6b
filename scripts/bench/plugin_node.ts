/**
 * What scripts/bench/plugin.ts has done on a node of namespaces: executes CNI
 * plugins by turns and takes the time of each, from before it is started to
 * after it has ended. Reads a plan (JSON) from the file that it is given, says
 * its results (JSON) on stdout.
 */
import { feedPipe } from "./pipe.ts";

/** A plugin to be measured. */
export interface Program {
  readonly name: string;
  readonly path: string;
  readonly input: object;
  /** CNI_NETNS: pods of its own, for the parts have their programs in turn. */
  readonly netns: string;
}

export interface BenchPlan {
  readonly programs: readonly Program[];
  readonly rounds: number;
  /** Whether a round that does not count goes before the others; it does unless told. */
  readonly warmUp?: boolean;
  /** CNI_CONTAINERID. */
  readonly containerID: string;
  /** ADD and DEL by turns, or DEL of what was never added. */
  readonly what: "pairs" | "dels";
}

export type Times = Record<string, { ADD: number[]; DEL: number[] }>;

export interface Results {
  /** In milliseconds, by program. */
  readonly times: Times;
  /** The most memory that any of the programs had resident, in MB. */
  readonly peak_MB: number;
}

function timed(
  program: Program,
  command: "ADD" | "DEL",
  containerID: string,
): number {
  feedPipe(JSON.stringify(program.input));
  const process = new Deno.Command(program.path, {
    clearEnv: true,
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: containerID,
      CNI_NETNS: program.netns,
      CNI_IFNAME: "eth0",
      CNI_PATH: "/usr/lib/cni",
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    },
    stdin: "inherit",
  });
  const start_ms = performance.now();
  const { success, stdout, stderr } = process.outputSync();
  const took_ms = performance.now() - start_ms;
  if (success) return took_ms;
  const said = new TextDecoder().decode(stdout) +
    new TextDecoder().decode(stderr);
  throw new Error(`${program.name} ${command}: ${said}`);
}

/** Source: getrusage(2): ru_maxrss, in KiB, lies behind two struct timeval. */
function peakOfChildren_MB(): number {
  const libc = Deno.dlopen("libc.so.6", {
    getrusage: { parameters: ["i32", "buffer"], result: "i32" },
  });
  const usage = new BigInt64Array(18);
  const RUSAGE_CHILDREN = -1;
  libc.symbols.getrusage(RUSAGE_CHILDREN, new Uint8Array(usage.buffer));
  libc.close();
  return Number(usage[4]!) / 1024;
}

if (import.meta.main) {
  const plan: BenchPlan = JSON.parse(Deno.readTextFileSync(Deno.args[0]!));
  const times: Times = {};
  for (const { name } of plan.programs) times[name] = { ADD: [], DEL: [] };
  for (
    let round = plan.warmUp === false ? 0 : -1;
    round < plan.rounds;
    round++
  ) {
    for (const program of plan.programs) {
      for (
        const command of plan.what === "pairs"
          ? ["ADD", "DEL"] as const
          : ["DEL"] as const
      ) {
        const took_ms = timed(program, command, plan.containerID);
        if (round >= 0) times[program.name]![command].push(took_ms);
      }
    }
  }
  const results: Results = { times, peak_MB: peakOfChildren_MB() };
  console.log(JSON.stringify(results));
}
