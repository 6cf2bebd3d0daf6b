#!/usr/bin/env -S deno run -A
/** The plugin's part of `make bench`: ADD and DEL in turn with the reference plugins, in the same namespaces. */
import {
  type BenchPart,
  benchTable,
  type Measured,
  median,
} from "../../lib/dev/bench_report.ts";
import { buildPlugin } from "../../lib/packaging/build.ts";
import { cmd, type Command } from "../../lib/exec/command.ts";
import {
  config,
  root,
  type TestNode,
  testNode,
} from "../../plugin/sandbox_testing.ts";
import type { BenchPlan, Program, Results } from "./plugin_node.ts";
import {
  fillStore,
  referenceConfig,
  referenceFolder,
  storeFolder,
  whyNoReference,
  wideConfig,
} from "./reference.ts";

const rounds = 40;
const crowd = 40;
const leases = 60_000;
const pairs = 5_000;
/** As many as fit into the time that a command on a node may take. */
const pairsAtATime = 250;

const shellConfig = { ...config, name: "shell", subnet: "10.246.1.0/24" };
/**
 * Measures the plugin as `make plugin` leaves it.
 * @returns a table's rows; only notes where it cannot be measured
 */
export async function benchPlugin(): Promise<BenchPart> {
  const { form, architecture } = await buildPlugin({ root });
  const title =
    `The plugin, ${form} form, ${architecture} (medians of ${rounds}, in turn with the peer)`;
  const why = await whyNoReference();
  if (why !== undefined) {
    return { title, rows: [], notes: [`left out: ${why}`] };
  }
  const bounds = form === "portable"
    ? { one: 1.7, many: 1.9 }
    : { one: 1.4, many: 1.5 };
  await using node = await testNode();
  return {
    title,
    rows: [
      ...await byTurns(node, bounds.one),
      await together(node, bounds.many),
      ...await manyLeases(node),
      ...await manyPairs(node),
    ],
    notes: [
      `the peer is ${referenceFolder}/bridge with host-local, unless another is named`,
      "plugin/README.md says where the time goes, and what holds a figure that is over",
    ],
  };
}

const ours = `${root}/dist/deno-cni`;

async function byTurns(node: TestNode, bound: number): Promise<Measured[]> {
  const program = async (
    name: string,
    path: string,
    input: object,
  ): Promise<Program> => ({
    name,
    path,
    input,
    netns: (await node.pod(name)).netns,
  });
  const empty = await emptyProgram(node);
  const plan = {
    programs: [
      await program("ours", ours, config),
      await program("reference", `${referenceFolder}/bridge`, referenceConfig),
      await program(
        "shell",
        `${root}/scripts/bench/plugin_shell.sh`,
        shellConfig,
      ),
      ...(empty === undefined ? [] : [await program("empty", empty, {})]),
    ],
    rounds,
    containerID: "p1",
    what: "pairs",
  } as const;
  const { times } = await measure(node, plan);
  const alone = await measure(node, {
    ...plan,
    programs: plan.programs.slice(0, 1),
    rounds: 5,
  });
  const of = (name: string, command: "ADD" | "DEL", pick = median) =>
    pick(times[name]?.[command] ?? []);
  const least = (values: readonly number[]) => Math.min(...values);
  const atMost = { of: "ratio", limit: bound } as const;
  const row = (
    what: string,
    command: "ADD" | "DEL",
    pick = median,
  ): Measured => ({
    what,
    ours: of("ours", command, pick),
    unit: "ms",
    peer: { name: "reference", value: of("reference", command, pick) },
    atMost,
  });
  return [
    row("ADD, cold, whole process", "ADD"),
    row("DEL", "DEL"),
    row("DEL, the quickest of each", "DEL", least),
    ...(empty === undefined ? [] : [
      {
        what: "what ADD adds to an empty program of the same runtime",
        ours: of("ours", "ADD") - of("empty", "ADD"),
        unit: "ms",
        atMost: { of: "value", limit: 5 },
      } as const,
      {
        what: "an empty program of the same runtime: the floor",
        ours: of("empty", "ADD"),
        unit: "ms",
        peer: { name: "reference", value: of("reference", "ADD") },
      } as const,
    ]),
    {
      what: "ADD beside a plugin in shell, as tutorials write them",
      ours: of("ours", "ADD"),
      unit: "ms",
      peer: { name: "shell", value: of("shell", "ADD") },
    },
    {
      what: "peak memory of one ADD or DEL",
      ours: alone.peak_MB,
      unit: "MB",
      atMost: { of: "value", limit: 40 },
    },
  ];
}

/** The launcher of the portable form with nothing to run; undefined in the compiled one. */
async function emptyProgram(node: TestNode): Promise<string | undefined> {
  const launcher = await Deno.readTextFile(ours).catch(() => "");
  if (!launcher.startsWith("#!/bin/sh\n")) return undefined;
  await node.must({ ...cmd`tee /run/empty.js`, stdin: "Deno.exit(0);\n" });
  const path = "/run/empty";
  const changed = launcher.replace(/\S*start\.js'?/, "/run/empty.js");
  await node.must({ ...cmd`tee ${path}`, stdin: changed });
  await node.must(cmd`chmod 755 ${path}`);
  return path;
}

/** Many ADDs at once: the time until the last is done, the least of some. */
async function together(node: TestNode, bound: number): Promise<Measured> {
  const pods = {
    ours: (await node.pod("crowd")).netns,
    reference: (await node.pod("crowd-reference")).netns,
  };
  // The shell starts all in the background and waits for all; the same for both.
  const script = `
    export CNI_COMMAND=$1 CNI_NETNS=$2 CNI_PATH=${referenceFolder}
    for at in $(seq ${crowd}); do
      CNI_CONTAINERID=crowd$at CNI_IFNAME=eth$at "$3" < "$4" > /dev/null &
    done
    wait`;
  const once = async (
    command: "ADD" | "DEL",
    netns: string,
    plugin: string,
    input: object,
  ) => {
    const file = "/run/crowd.json";
    await node.must({ ...cmd`tee ${file}`, stdin: JSON.stringify(input) });
    const start_ms = performance.now();
    await node.must(
      cmd`sh -c ${script} sh ${command} ${netns} ${plugin} ${file}`,
    );
    return performance.now() - start_ms;
  };
  const times: Record<keyof typeof pods, number[]> = {
    ours: [],
    reference: [],
  };
  const plugins = {
    ours: [ours, { ...config, name: "crowd" }],
    reference: [`${referenceFolder}/bridge`, referenceConfig],
  } as const;
  for (let round = 0; round < 5; round++) {
    for (const name of ["ours", "reference"] as const) {
      const [plugin, input] = plugins[name];
      times[name].push(await once("ADD", pods[name], plugin, input));
      await once("DEL", pods[name], plugin, input);
    }
  }
  return {
    what: `${crowd} ADDs at once`,
    ours: median(times.ours),
    unit: "ms",
    peer: { name: "reference", value: median(times.reference) },
    atMost: { of: "ratio", limit: bound },
  };
}

/** ADD and DEL in a store with many leases beside one with none. */
async function manyLeases(node: TestNode): Promise<Measured[]> {
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
  const taken = storeFolder("many");
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
  // No hint of where to begin, and no address free but the very last.
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
    const forget =
      "cd /run/deno-cni/networks && rm -rf hole/last_reserved_ip.0 .deno-cni/hole ../.deno-cni/hole";
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

/** Whether the last of many pairs of ADD and DEL are as quick as the first, and leave nothing more behind. */
async function manyPairs(node: TestNode): Promise<Measured[]> {
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

async function measure(node: TestNode, plan: BenchPlan): Promise<Results> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(plan));
    const script = `${root}/scripts/bench/plugin_node.ts`;
    const command: Command =
      cmd`${Deno.execPath()} run --quiet --no-config --no-lock -A ${script} ${file}`;
    return JSON.parse(await node.must(command));
  } finally {
    await Deno.remove(file);
  }
}

if (import.meta.main) console.log(benchTable(await benchPlugin()));
