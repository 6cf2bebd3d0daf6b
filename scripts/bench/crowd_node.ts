/**
 * What scripts/bench/daemon.ts has done on a node of namespaces: many calls of
 * a plugin at once, and one beside many. Reads a plan (JSON) from the file that
 * it is given, says its results (JSON) on stdout.
 */
import { feedPipe } from "./pipe.ts";
import type { Program, Times } from "./plugin_node.ts";

export interface CrowdPlan {
  readonly programs: readonly Program[];
  readonly rounds: number;
  /** How many at once. */
  readonly count: number;
}

export interface CrowdResults {
  /** From the first one's start to the last one's end, in milliseconds, by program. */
  readonly times: Times;
  /** One ADD alone, and one that begins while as many DELs are under way. */
  readonly alone: Record<string, number[]>;
  readonly beside: Record<string, number[]>;
}

type Command = "ADD" | "DEL";

async function once(
  program: Program,
  command: Command,
  name: string,
): Promise<void> {
  feedPipe(JSON.stringify(program.input));
  const child = new Deno.Command(program.path, {
    clearEnv: true,
    env: {
      CNI_COMMAND: command,
      CNI_CONTAINERID: name,
      CNI_NETNS: program.netns,
      CNI_IFNAME: name,
      CNI_PATH: "/usr/lib/cni",
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    },
    stdin: "inherit",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const { success, stdout, stderr } = await child.output();
  if (success) return;
  const said = new TextDecoder().decode(stdout) +
    new TextDecoder().decode(stderr);
  throw new Error(`${program.name} ${command} ${name}: ${said}`);
}

async function timed(body: () => Promise<unknown>): Promise<number> {
  const start_ms = performance.now();
  await body();
  return performance.now() - start_ms;
}

if (import.meta.main) {
  const plan: CrowdPlan = JSON.parse(Deno.readTextFileSync(Deno.args[0]!));
  const results: CrowdResults = { times: {}, alone: {}, beside: {} };
  const names = Array.from({ length: plan.count }, (_, at) => `crowd${at}`);
  for (let round = -1; round < plan.rounds; round++) {
    for (const program of plan.programs) {
      const all = (command: Command) =>
        Promise.all(names.map((name) => once(program, command, name)));
      const times = results.times[program.name] ??= { ADD: [], DEL: [] };
      const alone = results.alone[program.name] ??= [];
      const beside = results.beside[program.name] ??= [];
      const ADD = await timed(() => all("ADD"));
      const DEL = await timed(() => all("DEL"));
      const one = () => once(program, "ADD", "one");
      const one_ms = await timed(one);
      await once(program, "DEL", "one");
      await all("ADD");
      const dels = all("DEL");
      // All are started by now, and the first of them is at its link.
      await new Promise((resolve) => setTimeout(resolve, 30));
      const beside_ms = await timed(one);
      await dels;
      await once(program, "DEL", "one");
      if (round < 0) continue;
      times.ADD.push(ADD);
      times.DEL.push(DEL);
      alone.push(one_ms);
      beside.push(beside_ms);
    }
  }
  console.log(JSON.stringify(results));
}
