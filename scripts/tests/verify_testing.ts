/** What the tests of stage 09 share: the stage on a test's lab, without a process for it. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { type Cluster } from "../../lib/cluster/cluster.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";
import { cmd } from "../../lib/exec/command.ts";
import type { MatrixReport } from "../../lib/verify/matrix_report.ts";
import { matrixTable } from "../../lib/verify/matrix_table.ts";
import { look } from "../../lib/verify/situation.ts";
import { verify } from "../../lib/verify/verify.ts";
import { reachOf } from "../../lib/cli/connect.ts";
import { probedStages } from "../stages.ts";
import type { TestLab } from "./lab_testing.ts";
import type { RunContext } from "../../lib/stage/context.ts";
import { loadCluster } from "../../lib/cluster/load.ts";

const context: RunContext = {
  timeout_ms: 20_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: () => {},
};

/** What 09 says, as data and as text. */
export interface Seen {
  readonly report: MatrixReport;
  readonly text: string;
}

/** The lab's cluster as 02 has left it. */
export async function clusterOf({ file, env }: TestLab): Promise<Cluster> {
  Deno.env.set("DENO_CNI_STATE", env.DENO_CNI_STATE ?? "");
  try {
    return await loadCluster(file);
  } finally {
    Deno.env.delete("DENO_CNI_STATE");
  }
}

/** Verifies as the script does, but gives up on a call sooner: nothing is far away in a lab. */
export async function verified(
  cluster: Cluster,
  selected = cluster.nodes.map(({ name }) => name),
): Promise<Seen> {
  const situation = await look(cluster, reachOf(cluster), context);
  const order = {
    ...{ selected, stages: probedStages, context },
    ...{ limit_ms: 500, translated: true },
  };
  const { report, known } = await verify(situation, order);
  const text = matrixTable(report, { cluster, addresses: known, width: 80 });
  return { report, text };
}

/**
 * As verified(), once more where not all paths are as expected: where a machine is
 * busy, as long as verified() waits a first packet can be lost twice.
 */
export async function verifiedWell(cluster: Cluster): Promise<Seen> {
  const seen = await verified(cluster);
  return seen.report.passed ? seen : await verified(cluster);
}

/** The cells of a row of the table. */
export function row({ text }: Seen, label: string): string[] {
  const line = text.split("\n").find((line) => line.startsWith(`${label}  `));
  return line?.slice(label.length).trim().split(/\s{2,}/) ?? [];
}

/** Runs these scripts on the lab, each with its flags; throws where one fails. */
export async function runAll(
  lab: TestLab,
  ...steps: readonly (readonly string[])[]
): Promise<void> {
  for (const [name = "", ...args] of steps) {
    const outcome = await lab.script(name, ...args);
    assertEquals(outcome.code, 0, outcome.stdout + outcome.stderr);
  }
}

/**
 * Does what is advised as a user would: pastes it into a shell, in the project's folder.
 *
 * @param cluster where it is given, 09 is run here, without a process for it
 */
export async function follow(
  lab: TestLab,
  advice: string,
  cluster?: Cluster,
): Promise<void> {
  if (cluster !== undefined && /^make 09-verify CLUSTER=\S+$/.test(advice)) {
    await verified(cluster);
    return;
  }
  const { code, stdout, stderr } = await run(cmd`sh -c ${advice}`, {
    cwd: projectRoot,
    env: lab.env,
    timeout_ms: 120_000,
  });
  assertEquals(code, 0, `${advice}\n${stdout}${stderr}`);
}

export const needsRoot = { ignore: Deno.uid() !== 0 };
