/**
 * The lab's part of `make bench`: how long it takes to come and go, and what it
 * holds meanwhile.
 */
import {
  type BenchPart,
  type Measured,
  median,
} from "../../lib/dev/bench_report.ts";
import {
  cmd,
  type Command,
  ending,
  type Outcome,
  show,
  succeeded,
} from "../../lib/exec/command.ts";
import { labId } from "../../lib/lab/names.ts";
import { labNode, outsideNode } from "../../lib/lab/node.ts";
import { membersOf, takeSnapshot } from "../../lib/lab/processes.ts";
import { ignoreAbsent } from "../../lib/exec/atomic_file.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { loadCluster } from "../../lib/cluster/load.ts";

const rounds = 5;

/** A lab that does not come up, or does not go, cannot be measured. */
export class BenchError extends Error {
  override readonly name = "BenchError";
}

/**
 * Makes and removes a lab of its own some times, in turn with mininet's three
 * hosts where that is installed.
 *
 * @param file the cluster file of a lab
 * @throws {BenchError} when a command of ours fails
 */
export async function benchLab(file: string): Promise<BenchPart> {
  const state = await Deno.makeTempDir({ prefix: "deno-cni-bench-" });
  const make = async (target: string) =>
    await timed(cmd`make --no-print-directory -C ${projectRoot} ${target}`, {
      DENO_CNI_STATE: state,
      CLUSTER: file,
    });
  const why = await whyNoMininet();
  const times: Record<"up" | "again" | "down" | "mininet", number[]> = {
    up: [],
    again: [],
    down: [],
    mininet: [],
  };
  let idle_MB = 0;
  try {
    for (let round = 0; round < rounds; round++) {
      // So that the plugin is built anew.
      await Deno.remove(`${projectRoot}/dist/build.json`).catch(ignoreAbsent);
      times.up.push(await make("up"));
      times.again.push(await make("up"));
      if (round === 0) idle_MB = await idle(file, state);
      times.down.push(await make("down"));
      if (why === undefined) times.mininet.push(await timed(mininet, {}));
    }
  } finally {
    await make("down");
    await Deno.remove(state, { recursive: true });
  }
  const peer = times.mininet.length === 0
    ? {}
    : { peer: { name: "mininet", value: median(times.mininet) } };
  const rows: Measured[] = [
    {
      what: "make up: plugin, lab, nine stages, every path tried",
      ours: median(times.up),
      unit: "s",
      ...peer,
      atMost: { of: "value", limit: 6 },
    },
    {
      what: "make up again, with nothing to change",
      ours: median(times.again),
      unit: "s",
      ...peer,
      atMost: { of: "value", limit: 2 },
    },
    {
      what: "make down",
      ours: median(times.down),
      unit: "s",
      atMost: { of: "value", limit: 2 },
    },
    {
      what: "the idle lab: its processes' PSS and its tmpfs",
      ours: idle_MB,
      unit: "MB",
      atMost: { of: "value", limit: 50 },
    },
  ];
  return {
    title: `The lab (medians of ${rounds}, in turn with the peer)`,
    rows,
    notes: why === undefined
      ? [
        "mininet makes three hosts on one switch, pings all pairs and removes them",
      ]
      : [`mininet is left out: ${why}`],
  };
}

/** Mininet in namespaces of its own, where it finds no link and no setting of this machine's. */
const mininet =
  cmd`unshare --net --mount --pid --fork --kill-child --mount-proc sh -ec ${`
mount -t sysfs sysfs /sys
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
ip link set lo up
said=$(mn --topo single,3 --switch lxbr --controller none --test pingall 2>&1)
case $said in *" 0% dropped"*) ;; *) echo "$said" >&2; exit 1 ;; esac`}`;

async function whyNoMininet(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "it needs root";
  for (
    const [program, name] of [["mn", "mininet"], ["brctl", "bridge-utils"]]
  ) {
    const found = await run(cmd`sh -c ${`command -v ${program}`}`);
    if (!succeeded(found)) return `${name} is not installed`;
  }
  // Also warms it up.
  const tried = await run(mininet);
  return succeeded(tried) ? undefined : `it fails: ${lastWords(tried)}`;
}

/** @returns how long the command took, in seconds */
async function timed(
  command: Command,
  more: Readonly<Record<string, string>>,
): Promise<number> {
  const env = { ...Deno.env.toObject(), ...more };
  const start_ms = performance.now();
  const outcome = await run(command, { env, timeout_ms: 120_000 });
  const took_ms = performance.now() - start_ms;
  if (succeeded(outcome)) return took_ms / 1000;
  throw new BenchError(`${show(command)}: ${lastWords(outcome)}`);
}

function lastWords(outcome: Outcome): string {
  const said = `${outcome.stdout}${outcome.stderr}`.trimEnd().split("\n");
  return `${ending(outcome)}: ${said.slice(-5).join("\n")}`;
}

/** What the lab's processes and files take of the memory, in MB. */
async function idle(file: string, state: string): Promise<number> {
  const cluster = await loadCluster(file, { stateRoot: state });
  let kB = 0;
  // Proportional set size (proc_pid_smaps(5)): shared pages count once in all.
  for (const { pid } of membersOf(takeSnapshot(), labId(cluster))) {
    const text = await Deno.readTextFile(`/proc/${pid}/smaps_rollup`);
    kB += Number(/^Pss: +(\d+) kB$/m.exec(text)?.[1] ?? NaN);
  }
  // Every machine's files lie in the one tmpfs on its /run.
  const machines = [
    ...cluster.nodes.map(({ name }) => labNode(cluster, name)),
    outsideNode(cluster),
  ];
  for (const machine of machines) {
    const asked = await machine.run(cmd`df --block-size=1K --output=used /run`);
    kB += Number(asked.stdout.split("\n")[1]);
  }
  if (Number.isNaN(kB)) {
    throw new BenchError(`Cannot read what the lab ${cluster.name} takes`);
  }
  return kB * 1024 / 1e6;
}
