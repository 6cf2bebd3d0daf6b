/** The plugin with many leases, and after many pairs of ADD and DEL. */
import { type Measured, median } from "../../lib/dev/bench_report.ts";
import { cmd } from "../../lib/exec/command.ts";
import { config, type TestNode } from "../../plugin/sandbox_testing.ts";
import type { Program, Results } from "./plugin_node.ts";
import { fillStore, storeFolder, wideConfig } from "./reference.ts";
import { measure, ours } from "./plugin_measure.ts";

/** ADD and DEL in a store with many leases beside one with none. */
export async function manyLeases(node: TestNode): Promise<Measured[]> {
  const programs: Program[] = [];
  for (const name of ["none", "many"]) {
    const input = { ...wideConfig, name };
    programs.push({
      name,
      path: ours,
      input,
      netns: (await node.pod(name)).netns,
    });
  }
  await node.must(fillStore("many", leases));
  const pairs = await measure(node, {
    programs,
    rounds: 20,
    containerID: "p1",
    what: "pairs",
  });
  const dels = await measure(node, {
    programs,
    rounds: 20,
    containerID: "never",
    what: "dels",
  });
  const row = (
    what: string,
    { times }: Results,
    command: "ADD" | "DEL",
  ): Measured => ({
    what: `with ${leases.toLocaleString("en")} leases: ${what}`,
    ours: median(times.many?.[command] ?? []),
    unit: "ms",
    peer: {
      name: "ours, with none",
      value: median(times.none?.[command] ?? []),
    },
    atMost: { of: "ratio", limit: 1.2 },
  });
  const first = await oneHole(node, programs);
  return [
    row("ADD after the last one", pairs, "ADD"),
    row("DEL of a lease", pairs, "DEL"),
    row("DEL of none", dels, "DEL"),
    {
      ...row("ADD with one hole at the end", first, "ADD"),
      atMost: { of: "ratio", limit: 3 },
    },
  ];
}

/** ADD and DEL where the store has no hint of where to begin, and no address free but the last. */
async function oneHole(
  node: TestNode,
  programs: readonly Program[],
): Promise<Results> {
  const taken = storeFolder("many");
  const hole = programs.map((program) => ({
    ...program,
    input: program.name === "none"
      ? program.input
      : { ...program.input, name: "hole" },
  }));
  const full =
    `cp -r ${taken} /run/deno-cni/networks/hole && cd /run/deno-cni/networks/hole &&
    rm last_reserved_ip.0 &&
    awk 'BEGIN { for (i = ${leases + 2}; i < 65534; i++) {
      file = sprintf("10.99.%d.%d", i / 256, i % 256)
      printf "taken%d\\r\\neth0", i > file; close(file) } }'`;
  await node.must(cmd`sh -c ${full}`);
  const first: Results = {
    times: { none: { ADD: [], DEL: [] }, many: { ADD: [], DEL: [] } },
    peak_MB: 0,
  };
  for (let round = 0; round < 5; round++) {
    const forget = "cd /run/deno-cni/networks && " +
      "rm -rf hole/last_reserved_ip.0 .deno-cni/hole ../.deno-cni/hole";
    await node.must(cmd`sh -c ${forget}`);
    const plan = {
      programs: hole,
      rounds: 1,
      warmUp: false,
      containerID: "p1",
      what: "pairs",
    } as const;
    const { times } = await measure(node, plan);
    for (const name of ["none", "many"]) {
      first.times[name]!.ADD.push(...times[name]!.ADD);
    }
  }
  return first;
}

/**
 * Whether the last of many pairs of ADD and DEL are as quick as the first, and
 * leave nothing more behind.
 */
export async function manyPairs(node: TestNode): Promise<Measured[]> {
  const name = "pairs";
  const program: Program = {
    name,
    path: ours,
    input: { ...config, name },
    netns: (await node.pod(name)).netns,
  };
  const run = async (rounds: number) => {
    const { times } = await measure(node, {
      programs: [program],
      rounds,
      warmUp: false,
      containerID: "p1",
      what: "pairs",
    });
    return times[name] ?? { ADD: [], DEL: [] };
  };
  // Every file and folder of the leases, and every link.
  const things = async () =>
    Number(
      await node.must(
        cmd`sh -c ${"(find /run/deno-cni; ip -oneline link) | wc -l"}`,
      ),
    );
  await run(1);
  const before = await things();
  const ADD: number[] = [];
  const DEL: number[] = [];
  while (ADD.length < pairs) {
    const some = await run(pairsAtATime);
    ADD.push(...some.ADD);
    DEL.push(...some.DEL);
  }
  const tenth = pairs / 10;
  const row = (command: string, times: readonly number[]): Measured => ({
    what: `${pairs.toLocaleString("en")} pairs: ${command}, the last ${tenth}`,
    ours: median(times.slice(-tenth)),
    unit: "ms",
    peer: {
      name: `ours, the first ${tenth}`,
      value: median(times.slice(0, tenth)),
    },
    atMost: { of: "ratio", limit: 1.2 },
  });
  return [
    row("ADD", ADD),
    row("DEL", DEL),
    {
      what: `${
        pairs.toLocaleString("en")
      } pairs: files and links more than after one`,
      ours: await things() - before,
      unit: "files",
      atMost: { of: "value", limit: 0 },
    },
  ];
}

const leases = 60_000;

const pairs = 5_000;

/** As many as fit into the time that a command on a node may take. */
const pairsAtATime = 250;
