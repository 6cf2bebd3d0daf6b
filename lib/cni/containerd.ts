/**
 * Containers on a lab's nodes, by the containerd that stage 02 started there.
 * Control groups are the whole machine's, so theirs are named after lab and
 * node, at the top level: runc then removes all that it made.
 */
import { cmd, type Command } from "../exec/command.ts";
import { controlGroupPrefix } from "../lab/cgroups.ts";
import { pidPath, rootfs } from "../lab/containerd_steps.ts";

/**
 * containerd keeps containers apart by namespaces of its own:
 * those of Kubernetes are in k8s.io.
 */
const namespace = "09-verify";

/** A container runtime on a node, and what it runs. */
export interface Runtime {
  /** The node among all labs of this machine, <lab>/<node>. */
  readonly machine: string;
  /** The ids of the containers that run; undefined when it does not answer. */
  readonly running: readonly string[] | undefined;
}

/** What a shell on a node is to ask, for readRuntime(); quick where no containerd was started. */
export const containersQuestion =
  `[ ! -e ${pidPath} ] || { echo "$DENO_CNI_NODE"; ctr --connect-timeout=5s -n ` +
  `${namespace} tasks ls; }`;

/** Reads the answer to containersQuestion; undefined where stage 02 started no containerd. */
export function readRuntime(answer: string): Runtime | undefined {
  const [machine = "", heading, ...rows] = answer.trim().split("\n");
  if (machine === "") return undefined;
  if (!heading?.startsWith("TASK")) return { machine, running: undefined };
  const tasks = rows.map((row) => row.trim().split(/\s+/));
  return {
    machine,
    running: tasks.filter(([, , status]) => status === "RUNNING")
      .flatMap(([id]) => id ?? []),
  };
}

/** A container on a node of a lab. */
interface Container {
  /** Unique on its node. */
  readonly id: string;
  /** The control group of its processes, a name that no other container of this machine has. */
  readonly cgroup: string;
}

/**
 * A container, by a name that is unique on its node. Its CNI_CONTAINERID is
 * `09-verify-<id>`.
 *
 * @param machine the node, <lab>/<node>
 */
export function containerOn(machine: string, id: string): Container {
  const [lab = "", name = ""] = machine.split("/");
  return { id, cgroup: `/${controlGroupPrefix(lab, name)}${id}` };
}

/**
 * Starts a container in the background. containerd calls ADD for it before its
 * program begins, and DEL never (`ctr run --detach`).
 *
 * @param netns the path of its network namespace, which is there already
 */
export function runContainer(
  { id, cgroup }: Container,
  program: Command,
  netns: string,
): Command {
  const flags =
    cmd`--detach --cni --read-only --env=PATH=/bin --cgroup=${cgroup}`;
  const sandbox = `--with-ns=network:${netns}`;
  const root = cmd`--rootfs ${rootfs} ${id} ${program.argv}`;
  return cmd`ctr -n ${namespace} run ${flags.argv} ${sandbox} ${root.argv}`;
}

/**
 * Runs a command in a container, with its root, its processes and its network.
 *
 * @param exec a name for it that no other in the container has at that time
 * @param terminal whether it talks to one
 */
export function execIn(
  id: string,
  exec: string,
  command: Command,
  terminal = false,
): Command {
  const tty = terminal ? ["--tty"] : [];
  const entering =
    cmd`ctr -n ${namespace} tasks exec ${tty} --exec-id=${exec} ${id}`;
  return { ...command, argv: [...entering.argv, ...command.argv] };
}

/** Ends a container and forgets it, as far as there is one. Calls no DEL. */
export function endContainer(id: string): Command {
  const script =
    'if ctr -n "$1" tasks ls -q | grep -qxF -e "$2"; then ctr -n "$1" tasks rm --force "$2"; fi; ' +
    'if ctr -n "$1" containers ls -q | grep -qxF -e "$2"; then ctr -n "$1" containers rm "$2"; fi';
  return {
    ...cmd`sh -euc ${script} end ${namespace} ${id}`,
    label: `end container ${id}`,
  };
}
