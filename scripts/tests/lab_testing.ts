/** A lab of a test's own, and the scripts run on it as a user would. */
import { type Cluster } from "../../lib/cluster/cluster.ts";
import {
  cmd,
  type Command,
  type Outcome,
  succeeded,
} from "../../lib/exec/command.ts";
import { labNode } from "../../lib/lab/node.ts";
import type { Node } from "../../lib/node/node.ts";
import type { RunReport } from "../../lib/cli/report.ts";
import { run } from "../../lib/exec/run.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { loadCluster } from "../../lib/cluster/load.ts";

/** A lab while a test has it. */
export interface TestLab extends AsyncDisposable {
  readonly cluster: Cluster;
  readonly file: string;
  /** The environment that the scripts run with. */
  readonly env: Readonly<Record<string, string>>;
  node(name: string): Node;
  /** Runs scripts/NAME.ts on this lab. */
  script(name: string, ...args: string[]): Promise<Outcome>;
  /** Runs scripts/NAME.ts with `-o json`, and reads what it says. */
  report(name: string, ...args: string[]): Promise<RunReport>;
  /** Runs a command on a node; throws where it fails. */
  on(name: string, command: Command): Promise<string>;
}

/**
 * Prepares a lab; nothing runs yet. Disposing of it ends all that runs in it.
 *
 * @param name of the cluster; unique among tests that run at one time
 * @param change makes another text of the lab's cluster file
 */
export async function testLab(
  name: string,
  change: (text: string) => string = (text) => text,
): Promise<TestLab> {
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-test-" });
  const file = `${folder}/${name}.yaml`;
  const text = await Deno.readTextFile(`${projectRoot}/config/lab.yaml`);
  await Deno.writeTextFile(
    file,
    change(text.replace("name: lab\n", `name: ${name}\n`)),
  );
  // What `make test ARGS=…` was given is not for a `make` that a dry run names.
  const { MAKEFLAGS: _, ARGS: __, ...inherited } = Deno.env.toObject();
  const env = { ...inherited, DENO_CNI_STATE: `${folder}/state` };
  Deno.env.set("DENO_CNI_STATE", env.DENO_CNI_STATE);
  const cluster = await loadCluster(file);
  Deno.env.delete("DENO_CNI_STATE");
  const script = (name: string, ...args: string[]) =>
    run(scriptCommand(name, file, ...args), { env, timeout_ms: 120_000 });
  const node = (name: string) => labNode(cluster, name);
  return {
    cluster,
    file,
    env,
    node,
    script,
    async report(name, ...args) {
      const outcome = await script(name, "-o", "json", ...args);
      try {
        return JSON.parse(outcome.stdout);
      } catch {
        throw new Error(`${name} gave no JSON: ${JSON.stringify(outcome)}`);
      }
    },
    async on(name, command) {
      const outcome = await node(name).run(command);
      if (succeeded(outcome)) return outcome.stdout;
      throw new Error(`${name}: ${command.argv.join(" ")}: ${outcome.stderr}`);
    },
    async [Symbol.asyncDispose]() {
      const outcome = await script("down");
      await Deno.remove(folder, { recursive: true });
      if (!succeeded(outcome)) throw new Error(outcome.stderr);
    },
  };
}

/**
 * A lab that several tests of a file take in turn, so that it is made once. Each
 * begins with it as `up` leaves it, and takes away what `up` does not.
 *
 * @param name as testLab() takes it
 */
export function sharedLab(name: string): () => Promise<TestLab> {
  let made: TestLab | undefined;
  Deno.test.afterAll(async () => await made?.[Symbol.asyncDispose]());
  return async () => {
    made ??= await testLab(name);
    const outcome = await made.script("up", "-q");
    if (succeeded(outcome)) return made;
    throw new Error(outcome.stdout + outcome.stderr);
  };
}

/** The command that runs a script of the project. */
export function scriptCommand(
  name: string,
  file: string,
  ...args: string[]
): Command {
  return cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/${name}.ts --cluster ${file} ${args}`;
}

/** Ends a node of a lab, as a power cut would. */
export async function killNode(lab: TestLab, name: string): Promise<void> {
  for (const pid of await processesOf(lab, name)) kill(pid);
}

/** The processes that bear a node's mark: the one that holds it ahead of all that run in it. */
async function processesOf(lab: TestLab, node: string): Promise<number[]> {
  const holders: number[] = [];
  const others: number[] = [];
  const mark = (kind: string) =>
    new RegExp(
      `DENO_CNI_${kind}=${lab.cluster.name}-[0-9a-f]+/${node}\\0`,
    );
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const environment = await Deno.readTextFile(`/proc/${name}/environ`)
      .catch(() => "");
    if (mark("HOLDER").test(environment)) holders.push(Number(name));
    else if (mark("NODE").test(environment)) others.push(Number(name));
  }
  return [...holders, ...others];
}

function kill(pid: number): void {
  try {
    Deno.kill(pid, "SIGKILL");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
