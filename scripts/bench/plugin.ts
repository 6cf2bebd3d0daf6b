#!/usr/bin/env -S deno run -A
/**
 * The plugin's part of `make bench`: ADD and DEL in turn with the reference
 * plugins, in the same namespaces.
 */
import {
  type BenchPart,
  benchTable,
  type Measured,
  median,
} from "../../lib/dev/bench_report.ts";
import { buildPlugin } from "../../lib/packaging/build.ts";
import { cmd } from "../../lib/exec/command.ts";
import {
  config,
  root,
  type TestNode,
  testNode,
} from "../../plugin/sandbox_testing.ts";
import type { Program, Results } from "./plugin_node.ts";
import {
  referenceConfig,
  referenceFolder,
  whyNoReference,
} from "./reference.ts";
import { measure, ours } from "./plugin_measure.ts";
import { manyLeases, manyPairs } from "./plugin_many.ts";

const rounds = 40;
const crowd = 40;
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

async function byTurns(node: TestNode, bound: number): Promise<Measured[]> {
  const empty = await emptyProgram(node);
  const plan = {
    programs: await programsOn(node, empty),
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
  return [
    ...besideReference(times, bound),
    ...(empty === undefined ? [] : besideEmpty(times)),
    {
      what: "ADD beside a plugin in shell, as tutorials write them",
      ours: timeOf(times, "ours", "ADD"),
      unit: "ms",
      peer: { name: "shell", value: timeOf(times, "shell", "ADD") },
    },
    {
      what: "peak memory of one ADD or DEL",
      ours: alone.peak_MB,
      unit: "MB",
      atMost: { of: "value", limit: 40 },
    },
  ];
}

/** Ours and its peers, each with a pod of its own. */
async function programsOn(
  node: TestNode,
  empty: string | undefined,
): Promise<Program[]> {
  const shell = `${root}/scripts/bench/plugin_shell.sh`;
  const all: readonly (readonly [string, string, object])[] = [
    ["ours", ours, config],
    ["reference", `${referenceFolder}/bridge`, referenceConfig],
    ["shell", shell, shellConfig],
    ...(empty === undefined ? [] : [["empty", empty, {}] as const]),
  ];
  const programs: Program[] = [];
  for (const [name, path, input] of all) {
    programs.push({ name, path, input, netns: (await node.pod(name)).netns });
  }
  return programs;
}

type Times = Results["times"];

function timeOf(
  times: Times,
  name: string,
  command: "ADD" | "DEL",
  pick = median,
): number {
  return pick(times[name]?.[command] ?? []);
}

function besideReference(times: Times, bound: number): Measured[] {
  const row = (
    what: string,
    command: "ADD" | "DEL",
    pick = median,
  ): Measured => ({
    what,
    ours: timeOf(times, "ours", command, pick),
    unit: "ms",
    peer: {
      name: "reference",
      value: timeOf(times, "reference", command, pick),
    },
    atMost: { of: "ratio", limit: bound },
  });
  return [
    row("ADD, cold, whole process", "ADD"),
    row("DEL", "DEL"),
    row(
      "DEL, the quickest of each",
      "DEL",
      (values) => Math.min(...values),
    ),
  ];
}

function besideEmpty(times: Times): Measured[] {
  const empty = timeOf(times, "empty", "ADD");
  return [{
    what: "what ADD adds to an empty program of the same runtime",
    ours: timeOf(times, "ours", "ADD") - empty,
    unit: "ms",
    atMost: { of: "value", limit: 5 },
  }, {
    what: "an empty program of the same runtime: the floor",
    ours: empty,
    unit: "ms",
    peer: { name: "reference", value: timeOf(times, "reference", "ADD") },
  }];
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

if (import.meta.main) console.log(benchTable(await benchPlugin()));
