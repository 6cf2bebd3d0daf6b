/** What tests of the lab share: labs of their own, and questions to them. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd, type Command, type Outcome, show } from "../exec/command.ts";
import { labId } from "./names.ts";
import { labSteps } from "./steps.ts";
import { removeLab } from "./lab.ts";
import { findHolders, membersOf, takeSnapshot } from "./processes.ts";
import type { Node } from "../node/node.ts";
import type { Step } from "../stage/stage.ts";
import { run } from "../exec/run.ts";

export function rooted(name: string, body: () => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  Deno.test({ name: `${name} (needs root)`, ignore, fn: body });
}

/** Gives the body a cluster that no other has, and removes its lab whatever comes. */
export async function withCluster(
  body: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  const name = `test-${crypto.randomUUID().slice(0, 8)}`;
  const folder = await Deno.makeTempDir();
  const stateDir = `${folder}/${name}`;
  await Deno.mkdir(stateDir);
  const cluster = labCluster({ name, stateDir });
  try {
    await body(cluster);
  } finally {
    await removeLab(cluster);
    await Deno.remove(folder, { recursive: true });
  }
}

export async function must(command: Command): Promise<Outcome> {
  const outcome = await run(command);
  assertEquals(outcome.code, 0, `${show(command)}: ${outcome.stderr}`);
  return outcome;
}

export async function on(node: Node, script: string): Promise<string> {
  const outcome = await node.run(cmd`sh -euc ${script}`);
  assertEquals(outcome.code, 0, `${node.name}: ${script}: ${outcome.stderr}`);
  return outcome.stdout.trim();
}

export async function make(cluster: Cluster): Promise<void> {
  for (const step of labSteps(cluster)) await must(step.run as Command);
}

export async function ask(step: Step): Promise<string> {
  assert(step.doneWhen);
  return step.doneWhen.read(await run(step.doneWhen.ask)).is;
}

export async function askAll(cluster: Cluster): Promise<string[]> {
  return await Promise.all(labSteps(cluster).map(ask));
}

export function holder(cluster: Cluster, name: string): number {
  const process = findHolders(labId(cluster)).get(name);
  assert(process, `${name} has no holder`);
  return process.pid;
}

export function members(cluster: Cluster): number {
  return membersOf(takeSnapshot(), labId(cluster)).length;
}

/** The arguments of Deno that remove a whole lab. */
export function removerOf(cluster: Cluster): string[] {
  const [step] = labSteps(cluster);
  return (step?.undo as Command).argv.slice(1, -1);
}

/** Somebody without privileges, who can read the lab's scripts and run Deno. */
export async function stranger(cluster: Cluster): Promise<{
  readonly as: (command: Command) => Command;
  readonly folder: string;
}> {
  const folder = cluster.stateDir;
  const own = `${folder}/lib`;
  await must(cmd`cp -r ${import.meta.dirname ?? ""} ${own}`);
  await must(cmd`cp -r ${`${import.meta.dirname}/../net`} ${folder}`);
  await must(
    cmd`sh -c ${'cp "$1" "$2/deno"'} x ${
      Deno.execPath().replace(/\/(?=[^/]*$)/, "/./")
    } ${folder}`,
  );
  await must(cmd`chown -R 12345:12345 ${folder}`);
  await must(cmd`chmod 755 ${folder} ${folder.replace(/\/[^/]*$/, "")}`);
  const as = ({ argv }: Command): Command =>
    cmd`setpriv --reuid=12345 --regid=12345 --clear-groups env -i PATH=/usr/bin:/bin HOME=${folder} DENO_DIR=${folder}/cache ${
      argv.map((argument) =>
        argument.replace(`${import.meta.dirname}/`, `${own}/`)
      )
    }`;
  return { as, folder };
}
