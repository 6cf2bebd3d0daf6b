/**
 * The lab: nodes made of namespaces on this machine, the segment that joins
 * them and a host outside the cluster. This file has the steps that make a
 * lab, and the transport to its nodes; lib/lab/machine.sh is what happens at a
 * node's birth, lib/lab/remove.ts its end.
 */
import { familyOf, ofFamily } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import {
  cmd,
  type Command,
  CommandError,
  type Outcome,
  quote,
  show,
  succeeded,
} from "../exec/command.ts";
import {
  findHolders,
  isAlive,
  type Process,
  processNamespace,
} from "./processes.ts";
import { endMachines, LabError } from "./remove.ts";
import { journalPath, type Node, UnreachableError } from "../node/node.ts";
import { unknown } from "../steps/probes.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { run } from "../exec/run.ts";

/** The name, among a lab's machines, of the host outside the cluster; no node may have it. */
export const outsideName = "outside";

const machine = `${import.meta.dirname}/machine.sh`;
const copyScript = `${import.meta.dirname}/copy.sh`;
const remover = `${import.meta.dirname}/remove.ts`;

/**
 * Names a lab among all of the computer: two copies of the project may each
 * have a cluster of one name.
 */
export function labId(cluster: Pick<Cluster, "name" | "stateDir">): string {
  return `${cluster.name}-${hex(digest(cluster.stateDir))}`;
}

/**
 * The steps that make a lab, for the operator's machine: the outside host with
 * the segment, then every node. Pure.
 */
export function labSteps(cluster: Cluster): Step[] {
  return [outsideStep(cluster), ...cluster.nodes.map(nodeStep(cluster))];
}

function outsideStep(cluster: Cluster): Step {
  const lab = labId(cluster);
  const { gateways, addresses } = cluster.outside;
  return {
    why: "A segment for the nodes, and on it a host that is not of the " +
      "cluster: their default gateway, which knows no way back to the pods",
    doneWhen: runs(lab, outsideName, "segment"),
    run: cmd`sh ${machine} outside ${lab} ${outsideName} ${
      onSegment(gateways, cluster)
    } ${mac("segment")} ${addresses.join(",")}`,
    undo: end(lab, outsideName),
  };
}

function nodeStep(cluster: Cluster): (node: ClusterNode) => Step {
  const lab = labId(cluster);
  return ({ name, addresses }) => ({
    why: `A node is a network, mount and UTS namespace that a sleeping ` +
      `process holds; it begins as a machine with Docker on it: no forwarding`,
    node: name,
    doneWhen: runs(lab, name, "eth0"),
    run: cmd`sh ${machine} node ${lab} ${name} ${
      onSegment(addresses, cluster)
    } ${cluster.outside.gateways.join(",")} ${mac(`eth0 ${name}`)} ${
      portName(name)
    } ${mac(`port ${name}`)} ${outsideName}`,
    undo: end(lab, name),
  });
}

/** Addresses as machine.sh takes them: with the prefix length of their segment. */
function onSegment(
  addresses: readonly string[],
  { segmentCIDRs, segmentCIDR }: Cluster,
): string {
  return addresses.map((address) => {
    const cidr = ofFamily(segmentCIDRs, familyOf(address)) ?? segmentCIDR;
    return address + cidr.slice(cidr.indexOf("/"));
  }).join(",");
}

/** Does the machine run, and is it plugged in? The cable of a node goes with the outside host. */
function runs(lab: string, name: string, link: string): Probe {
  return {
    ask: cmd`sh ${machine} ask ${lab} ${name} ${link}`,
    read(outcome) {
      const answer = outcome.code === 0 ? outcome.stdout.trim() : "";
      if (answer === "alive") return { is: "present", ours: true };
      if (answer === "absent") return { is: "absent" };
      return unknown(outcome, `whether ${name} runs`);
    },
  };
}

function end(lab: string, name: string): Command {
  return cmd`${Deno.execPath()} run --quiet -A ${remover} ${lab} ${name}`;
}

/** The segment's port for a node: a link's name has at most 15 bytes (IFNAMSIZ). */
export function portName(node: string): string {
  const taken = node === "segment" || node === "lo";
  return node.length <= 15 && !taken ? node : `port-${hex(digest(node))}`;
}

/** A locally administered MAC address (IEEE 802, the second bit), always the same for a name. */
export function mac(name: string): string {
  return `02:dc:${hex(digest(name)).replace(/..(?!$)/g, "$&:")}`;
}

/** FNV-1a: 32 bits that differ where the texts do, for names; no secret. */
function digest(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/**
 * A node of the lab. Nothing is looked for yet; run() and copy() throw
 * UnreachableError where it does not run.
 */
export function labNode(cluster: Cluster, name: string): Node {
  const lab = labId(cluster);
  const door = doorOf(lab, name);
  const environment = {
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: "/run/home",
    LANG: "C",
  };
  const marks = { DENO_CNI_LAB: lab, DENO_CNI_NODE: `${lab}/${name}` };
  const here = { env: { ...environment, ...marks } };
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
      return atTheDoor(name, await run(entering, { ...rest, ...here }));
    },
    async copy(file, path, mode) {
      // Deno adds arguments of its own after its executable's path, wherever
      // that stands in an argv given to node:child_process.
      const source = file.replace(/\/(?=[^/]*$)/, "/./");
      const command = cmd`sh ${copyScript} ${source} ${path} ${mode} ${door()}`;
      const outcome = atTheDoor(name, await run(command, here));
      if (succeeded(outcome)) return;
      throw new CommandError(name, command, outcome, `copy ${file}`);
    },
    showCopy: (file, path, mode) =>
      `sh ${quote(copyScript)} ${show(cmd`${file} ${path} ${mode}`)} ` +
      `sh ${quote(machine)} enter ${lab} ${name}`,
  };
}

/**
 * Ends a lab and forgets all that is known of it. Works on ruins, and where
 * there is nothing: it asks no file what there was.
 *
 * @returns how many processes were ended
 * @throws {LabError} as endMachines() does
 */
export async function removeLab(cluster: Cluster): Promise<number> {
  const ended = await endMachines(labId(cluster));
  const { name, stateDir } = cluster;
  // Never a folder that is not plainly a cluster's.
  if (stateDir.endsWith(`/${name}`)) await forget(stateDir);
  return ended;
}

async function forget(stateDir: string): Promise<void> {
  try {
    await Deno.remove(stateDir, { recursive: true });
    const parent = stateDir.slice(0, stateDir.lastIndexOf("/"));
    if (!parent.endsWith("/.state")) return;
    if ((await Array.fromAsync(Deno.readDir(parent))).length > 0) return;
    await Deno.remove(parent);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new LabError(
      `${stateDir} belongs to another user, and so may the lab: remove it ` +
        "as that user, or with sudo",
    );
  }
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

/**
 * What leads into a node: nsenter with the process that holds it.
 *
 * @returns a function that looks for that process, or at it again
 * @throws {UnreachableError} (the function) when there is none
 */
function doorOf(
  lab: string,
  name: string,
): () => [string, ...string[]] {
  let holder: Process | undefined;
  return () => {
    if (holder === undefined || !isAlive(holder)) {
      holder = findHolders(lab).get(name);
    }
    if (holder === undefined) {
      throw new UnreachableError(name, "not running: make 01-provision");
    }
    const { pid } = holder;
    // Without root, all of a lab is in a user namespace of its own.
    const user =
      processNamespace(pid, "user") === processNamespace("self", "user")
        ? []
        : ["--user", "--preserve-credentials"];
    const target = `--target=${pid}`;
    return ["nsenter", target, ...user, "--net", "--mount", "--uts"];
  };
}

/**
 * Tells what nsenter says from what the command says.
 *
 * @throws {UnreachableError} when the node ended before the command could run
 */
function atTheDoor(name: string, outcome: Outcome): Outcome {
  const { code, stderr } = outcome;
  const said = stderr.trimEnd().split("\n").at(-1) ?? "";
  if (code === 1 && /^nsenter: (cannot open|reassociate)/.test(said)) {
    throw new UnreachableError(name, "ended just now: make 01-provision");
  }
  if (!/^nsenter: failed to execute /.test(said)) return outcome;
  const ended = code === 127 ? "no such command" : "not executable";
  return { code: undefined, stdout: outcome.stdout, stderr, ended };
}
