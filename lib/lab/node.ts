/** The way to a node of a lab: into the namespaces that a process of its own holds. */
import type { Cluster } from "../cluster/cluster.ts";
import {
  cmd,
  type Command,
  CommandError,
  type Outcome,
  quote,
  show,
  succeeded,
} from "../exec/command.ts";
import { labId, outsideName } from "./names.ts";
import {
  findHolders,
  isAlive,
  type Process,
  processNamespace,
} from "./processes.ts";
import { makeLine } from "../cluster/make_line.ts";
import { writeSeen } from "../node/seen_file.ts";
import { journalPath, type Node, UnreachableError } from "../node/node.ts";
import { run } from "../exec/run.ts";

const machine = `${import.meta.dirname}/machine.sh`;
const copyScript = `${import.meta.dirname}/copy.sh`;

/**
 * A node of the lab. Nothing is looked for yet; run() and copy() throw
 * UnreachableError where it does not run.
 */
export function labNode(cluster: Cluster, name: string): Node {
  const lab = labId(cluster);
  const provision = makeLine("01-provision", cluster);
  const door = doorOf(lab, name, provision);
  const environment = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/run/home",
    LANG: "C",
  };
  const marks = { DENO_CNI_LAB: lab, DENO_CNI_NODE: `${lab}/${name}` };
  const here = { env: { ...environment, ...marks } };
  const rootOfMachine = () => {
    const holder = holderOf(lab, name);
    return holder && `/proc/${holder.pid}/root`;
  };
  return {
    name,
    journalPath,
    enter: (command) => ({
      ...command,
      argv: ["sh", machine, "enter", lab, name, ...command.argv],
    }),
    async run(command, options = {}) {
      const { env, cwd, ...rest } = options;
      const inner = [
        ...(cwd === undefined ? [] : ["env", `--chdir=${cwd}`]),
        ...(env === undefined ? [] : ["env", "-i", ...assignments(env, marks)]),
        ...command.argv,
      ];
      const entering: Command = { ...command, argv: [...door(), ...inner] };
      return atTheDoor(
        name,
        await run(entering, { ...rest, ...here }),
        provision,
      );
    },
    async copy(file, path, mode) {
      const root = rootOfMachine();
      if (root !== undefined && await copySeen(root, file, path, mode)) return;
      // Deno adds arguments of its own after its executable's path, wherever
      // that stands in an argv given to node:child_process.
      const source = file.replace(/\/(?=[^/]*$)/, "/./");
      const command = cmd`sh ${copyScript} ${source} ${path} ${mode} ${door()}`;
      const outcome = atTheDoor(name, await run(command, here), provision);
      if (succeeded(outcome)) return;
      throw new CommandError(name, command, outcome, `copy ${file}`);
    },
    root: rootOfMachine,
    showCopy: (file, path, mode) =>
      `sh ${quote(copyScript)} ${show(cmd`${file} ${path} ${mode}`)} ` +
      `sh ${quote(machine)} enter ${lab} ${name}`,
  };
}

/** What is as large is bound where a node sees it, and not copied (copy.sh). */
const large_bytes = 1 << 20;

/** Copies a small file without a process; whether that was possible. */
async function copySeen(
  root: string,
  file: string,
  path: string,
  mode: string,
): Promise<boolean> {
  const { size } = await Deno.stat(file);
  if (size >= large_bytes) return false;
  const content = await Deno.readFile(file);
  return await writeSeen(root, path, content, Number.parseInt(mode, 8));
}

/** The host outside the cluster, which also has the segment. */
export function outsideNode(cluster: Cluster): Node {
  return labNode(cluster, outsideName);
}

function assignments(
  ...environments: readonly Readonly<Record<string, string>>[]
): string[] {
  return Object.entries(Object.assign({}, ...environments))
    .map(([name, value]) => `${name}=${value}`);
}

/** The processes that were found last, by lab: to look at all of a machine's takes its time. */
const lastHolders = new Map<string, ReadonlyMap<string, Process>>();

/** The process that holds a node now; undefined where there is none. */
function holderOf(lab: string, name: string): Process | undefined {
  const last = lastHolders.get(lab)?.get(name);
  if (last !== undefined && isAlive(last)) return last;
  const found = findHolders(lab);
  lastHolders.set(lab, found);
  return found.get(name);
}

/**
 * What leads into a node: nsenter with the process that holds it.
 *
 * @param provision the line that makes the node
 * @returns a function that looks for that process, or at it again
 * @throws {UnreachableError} (the function) when there is none
 */
function doorOf(
  lab: string,
  name: string,
  provision: string,
): () => [string, ...string[]] {
  return () => {
    const holder = holderOf(lab, name);
    if (holder === undefined) {
      throw new UnreachableError(name, `not running: ${provision}`, true);
    }
    const { pid } = holder;
    // Without root, all of a lab is in a user namespace of its own.
    const user =
      processNamespace(pid, "user") === processNamespace("self", "user")
        ? []
        : ["--user", "--preserve-credentials"];
    const target = `--target=${pid}`;
    // Its root too: that of the mount namespace is another one in a chroot.
    const part = ["--net", "--mount", "--uts", "--root", "--wd"];
    return ["nsenter", target, ...user, ...part];
  };
}

/**
 * Tells what nsenter says from what the command says.
 *
 * @throws {UnreachableError} when the node ended before the command could run
 */
function atTheDoor(
  name: string,
  outcome: Outcome,
  provision: string,
): Outcome {
  const { code, stderr } = outcome;
  const said = stderr.trimEnd().split("\n").at(-1) ?? "";
  if (code === 1 && /^nsenter: (cannot open|reassociate)/.test(said)) {
    throw new UnreachableError(name, `ended just now: ${provision}`, true);
  }
  if (!/^nsenter: failed to execute /.test(said)) return outcome;
  const ended = code === 127 ? "no such command" : "not executable";
  return { code: undefined, stdout: outcome.stdout, stderr, ended };
}
