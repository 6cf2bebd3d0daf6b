#!/usr/bin/env -S deno run -A
/** The daemon's part of `make bench`: its calls in turn with those of the reference plugins. */
import {
  type BenchPart,
  benchTable,
  type Measured,
  median,
} from "../../lib/dev/bench_report.ts";
import { cmd } from "../../lib/exec/command.ts";
import {
  config,
  root,
  type TestNode,
  testNode,
} from "../../plugin/sandbox_testing.ts";
import { callCost } from "./call_cost.ts";
import type { CrowdPlan, CrowdResults } from "./crowd_node.ts";
import {
  fillStore,
  referenceConfig,
  referenceFolder,
  whyNoReference,
  wideConfig,
} from "./reference.ts";
import type { BenchPlan, Program, Results } from "./plugin_node.ts";

const rounds = 40;
const crowd = 40;
const leases = 60_000;

/** How many are made before the memory is measured; DENO_CNI_BENCH_PAIRS has fewer or more. */
const pairs = Number(Deno.env.get("DENO_CNI_BENCH_PAIRS") ?? 4_000);
const pairsAtATime = 250;

/** Measures the plugin with its daemon. */
export async function benchDaemon(): Promise<BenchPart> {
  const title =
    `The plugin with its daemon (medians of ${rounds}, in turn with the peer)`;
  const why = await whyNoReference();
  if (why !== undefined) {
    return { title, rows: [], notes: [`left out: ${why}`] };
  }
  await using node = await testNode(undefined, "daemon");
  const peers = await programs(node);
  const turns = await byTurns(node, peers);
  const cost = await callCost(node, await node.startDaemon(), ...peers);
  return {
    title,
    rows: [
      ...turns,
      ...cost.rows,
      ...await together(node),
      await manyLeases(node),
      ...await memoryAndTime(node),
    ],
    notes: [
      ...cost.notes,
      `the peer is ${referenceFolder}/bridge with host-local, unless another is named; ` +
      "stdin is a pipe, as runtimes make it",
      `${await node.coldCalls()} calls went the slow way`,
      "plugin/daemon/README.md says what holds each figure",
    ],
  };
}

async function program(
  node: TestNode,
  name: string,
  path: string,
  input: object,
): Promise<Program> {
  return { name, path, input, netns: (await node.pod(name)).netns };
}

const atMost = (limit: number) => ({ of: "ratio", limit }) as const;

/** Ours, the reference, and a program that does nothing. */
async function programs(node: TestNode): Promise<[Program, Program, Program]> {
  const floor = "/run/floor";
  const nothing = "#!/bin/sh\nexit 0\n";
  await node.must({ ...cmd`tee ${floor}`, stdin: nothing });
  await node.must(cmd`chmod 755 ${floor}`);
  return [
    await program(node, "ours", node.plugin, config),
    await program(
      node,
      "reference",
      `${referenceFolder}/bridge`,
      referenceConfig,
    ),
    await program(node, "floor", floor, {}),
  ];
}

async function byTurns(
  node: TestNode,
  programs: readonly Program[],
): Promise<Measured[]> {
  const { times } = await measure<BenchPlan, Results>(node, "plugin_node.ts", {
    programs,
    rounds,
    containerID: "p1",
    what: "pairs",
  });
  const of = (name: string, command: "ADD" | "DEL") =>
    median(times[name]?.[command] ?? []);
  const row = (command: "ADD" | "DEL", limit: number): Measured => ({
    what: `${command}, whole process`,
    ours: of("ours", command),
    unit: "ms",
    peer: { name: "reference", value: of("reference", command) },
    atMost: atMost(limit),
  });
  return [row("ADD", 0.55), row("DEL", 0.75), {
    what: "a shell script that does nothing: the floor of an ADD",
    ours: of("floor", "ADD"),
    unit: "ms",
    peer: { name: "reference", value: of("reference", "ADD") },
  }];
}

async function together(node: TestNode): Promise<Measured[]> {
  const results = await measure<CrowdPlan, CrowdResults>(
    node,
    "crowd_node.ts",
    {
      programs: [
        await program(node, "crowd", node.plugin, { ...config, name: "crowd" }),
        await program(
          node,
          "reference-crowd",
          `${referenceFolder}/bridge`,
          referenceConfig,
        ),
      ],
      rounds: 15,
      count: crowd,
    },
  );
  const { times, alone, beside } = results;
  const row = (command: "ADD" | "DEL", limit: number): Measured => ({
    what: `${crowd} ${command}s at once`,
    ours: median(times.crowd?.[command] ?? []),
    unit: "ms",
    peer: {
      name: "reference",
      value: median(times["reference-crowd"]?.[command] ?? []),
    },
    atMost: atMost(limit),
  });
  return [row("ADD", 0.55), row("DEL", 0.5), {
    what: `ADD while ${crowd} DELs are under way`,
    ours: median(beside.crowd ?? []),
    unit: "ms",
    peer: { name: "ours, alone", value: median(alone.crowd ?? []) },
    atMost: atMost(1.5),
  }];
}

async function manyLeases(node: TestNode): Promise<Measured> {
  await node.must(fillStore("many", leases));
  const programs: Program[] = [];
  for (const name of ["none", "many"]) {
    const input = { ...wideConfig, name };
    programs.push(await program(node, name, node.plugin, input));
  }
  const plan: BenchPlan = {
    programs,
    rounds: 20,
    containerID: "p1",
    what: "pairs",
  };
  const { times } = await measure<BenchPlan, Results>(
    node,
    "plugin_node.ts",
    plan,
  );
  return {
    what: `with ${leases.toLocaleString("en")} leases: ADD`,
    ours: median(times.many?.ADD ?? []),
    unit: "ms",
    peer: { name: "ours, with none", value: median(times.none?.ADD ?? []) },
    atMost: atMost(1.2),
  };
}

/** The daemon's memory after some pairs and after all, and its time while no call comes. */
async function memoryAndTime(node: TestNode): Promise<Measured[]> {
  const daemon = await node.startDaemon();
  const ours = await program(node, "pairs", node.plugin, {
    ...config,
    name: "pairs",
  });
  const plan: BenchPlan = {
    programs: [ours],
    rounds: pairsAtATime,
    warmUp: false,
    containerID: "p1",
    what: "pairs",
  };
  let early_MB = 0;
  for (let done = 0; done < pairs; done += pairsAtATime) {
    if (done === pairs / 2) early_MB = pss_MB(daemon);
    await measure<BenchPlan, Results>(node, "plugin_node.ts", plan);
  }
  // The threads that waited for the kernel end after 10 s.
  await new Promise((resolve) => setTimeout(resolve, 15_000));
  const before_ms = cpu_ms(daemon);
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  let idle_ms = 0;
  for (const [thread, time_ms] of cpu_ms(daemon)) {
    idle_ms += time_ms - (before_ms.get(thread) ?? 0);
  }
  return [{
    what: `the daemon's memory (PSS) after ${pairs.toLocaleString("en")} pairs`,
    ours: pss_MB(daemon),
    unit: "MB",
    peer: { name: "after half of them", value: early_MB },
    atMost: { of: "value", limit: 50 },
  }, {
    what: "the daemon's CPU time in 20 s without calls, for an hour",
    ours: idle_ms / 20 * 3600 / 1000,
    unit: "s",
    atMost: { of: "value", limit: 1 },
  }];
}

function pss_MB(pid: number): number {
  const text = Deno.readTextFileSync(`/proc/${pid}/smaps_rollup`);
  return Number(/^Pss:\s*(\d+) kB/m.exec(text)?.[1]) / 1024;
}

/** Of each of its threads, as the scheduler counts it. */
function cpu_ms(pid: number): Map<string, number> {
  const times = new Map<string, number>();
  for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
    const text = Deno.readTextFileSync(`/proc/${pid}/task/${name}/schedstat`);
    times.set(name, Number(text.split(" ")[0]) / 1e6);
  }
  return times;
}

async function measure<P, R>(
  node: TestNode,
  script: string,
  plan: P,
): Promise<R> {
  const file = await Deno.makeTempFile({ suffix: ".json" });
  try {
    await Deno.writeTextFile(file, JSON.stringify(plan));
    const path = `${root}/scripts/bench/${script}`;
    return JSON.parse(
      await node.must(
        cmd`${Deno.execPath()} run --quiet --no-config --no-lock -A ${path} ${file}`,
      ),
    );
  } finally {
    await Deno.remove(file);
  }
}

if (import.meta.main) console.log(benchTable(await benchDaemon()));
