/**
 * A container runtime on a lab's nodes: containerd with runc, and the
 * containers that it runs from a plain folder. Daemon, shims and files are the
 * node's own. Control groups are the whole machine's, so theirs are named after
 * lab and node, at the top level: runc then removes all that it made.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command } from "../exec/command.ts";
import { exitAbsent, saysAbsent, write } from "../exec/shell_file.ts";
import { controlGroupPrefix } from "../lab/remove.ts";
import { unknown } from "../steps/probes.ts";
import { fileIs } from "../steps/file_probes.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

const configPath = "/etc/deno-cni/containerd.toml";
const pidPath = "/run/deno-cni-containerd.pid";
const logPath = "/var/log/containerd.log";

/** The root of every container: busybox and its applets. */
export const rootfs = "/var/lib/deno-cni/rootfs";

// State and socket are where ctr looks for them, below /run, which is the node's own.
const config = `# ${mark}: written by stage 02
version = 2
root = "/var/lib/deno-cni/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
`;

/** The programs that real containers want, each with Debian's package. */
const programs = [
  "containerd:containerd",
  "ctr:containerd",
  "containerd-shim-runc-v2:containerd",
  "runc:runc",
  "busybox:busybox-static",
];

/** For the operator's machine: can the lab have containers at all? Nothing is done. */
export function containersPossible({ cniVersion, file }: Cluster): Step {
  const script = '[ "$(id -u)" = 0 ] || echo user; ' +
    'for item; do command -v "${item%:*}" >/dev/null || echo "missing $item"; done; ' +
    "containerd --version 2>/dev/null || :";
  const ask = cmd`sh -c ${script} ask ${programs}`;
  return {
    why:
      "Real containers want real root and programs of this machine; nothing is installed here",
    doneWhen: {
      ask,
      read(outcome) {
        if (outcome.code !== 0) return unknown(outcome, "what is installed");
        const lines = outcome.stdout.trim().split("\n");
        if (lines.includes("user")) {
          return {
            is: "different",
            found:
              "containers on a lab's nodes (runtime: containerd) want root",
            remedy:
              "make down, then sudo make up; or go without containers (RUNTIME=none)",
          };
        }
        const missing = lines.filter((line) => line.startsWith("missing "))
          .map((line) => line.slice("missing ".length).split(":"));
        if (missing.length > 0) {
          const packages = new Set(missing.map(([, name]) => name));
          return {
            is: "different",
            found: `${
              missing.map(([name]) => name).join(", ")
            }: not installed on this machine`,
            remedy: `apt-get install ${[...packages].join(" ")}`,
          };
        }
        const version = / v?(1\.\d+\.\d+)/.exec(lines.at(-1) ?? "")?.[1];
        if (version !== undefined && cniVersion === "1.1.0") {
          return {
            is: "different",
            found: `containerd ${version} does not know CNI ${cniVersion}`,
            remedy: `set cniVersion: 1.0.0 in ${file}`,
          };
        }
        return { is: "present" };
      },
    },
    run: ask,
  };
}

// Whether this very containerd runs: $1 its configuration, $2 where its process id is.
const runs =
  'runs() { pid=$(cat "$2" 2>/dev/null) && grep -qszxF -e "$1" "/proc/$pid/cmdline"; }; ';

// $3 is its log. Without a limit of its own, ctr waits 10 s for a socket.
const begin =
  'begin() { setsid containerd --config "$1" </dev/null >"$3" 2>&1 & pid=$!; ' +
  'echo "$pid" >"$2"; until ctr --connect-timeout=1s version >/dev/null 2>&1; do ' +
  'kill -0 "$pid" 2>/dev/null || { tail -n 3 "$3" >&2; rm -f "$2"; exit 1; }; ' +
  "sleep 0.02; done; }; ";

const files = [configPath, pidPath, logPath];

/** For each node of a lab: containerd, and what its containers are started from. */
export function containerdSteps(): readonly Step[] {
  return [{
    why:
      "A container's root can be a plain folder: busybox and its applets, no image and no registry",
    doneWhen: {
      ask: cmd`chroot ${rootfs} /bin/sh -c true`,
      read: (outcome) =>
        outcome.code === 0
          ? { is: "present", ours: true }
          : outcome.code === 127 || outcome.code === 125
          ? { is: "absent" }
          : unknown(outcome, `whether ${rootfs} is complete`),
    },
    run: {
      ...cmd`sh -c ${
        'mkdir -p "$1/bin" && cp "$(command -v busybox)" "$1/bin/busybox" && ' +
        'chroot "$1" /bin/busybox --install -s /bin'
      } make ${rootfs}`,
      label: `make ${rootfs} from busybox`,
    },
    undo: cmd`rm -rf ${rootfs}`,
  }, {
    why: "What containerd keeps lies in the node's own folders; its CRI " +
      "plugin is for a kubelet, which the lab does not have",
    doneWhen: fileIs(
      configPath,
      config,
      (text) => text.startsWith(`# ${mark}:`),
    ),
    run: write(configPath, config),
    // Not of the next step: that would be taken for undone where containerd was killed.
    undo: endContainerd(),
  }, {
    why:
      "containerd starts containers by runc, and calls the plugins of /opt/cni/bin for each",
    doneWhen: containerdRuns(),
    run: {
      ...cmd`sh -c ${begin + 'begin "$@"'} begin ${files}`,
      label: `start containerd --config ${configPath}`,
    },
  }];
}

/** Does the containerd that was started here run, and answer? */
function containerdRuns(): Probe {
  const script = `${runs}runs "$@" || ${exitAbsent}; ctr version`;
  return {
    ask: cmd`sh -c ${script} ask ${files}`,
    read(outcome) {
      if (outcome.code === 0) return { is: "present", ours: true };
      if (saysAbsent(outcome)) return { is: "absent" };
      return unknown(outcome, `whether containerd answers (${logPath})`);
    },
  };
}

/**
 * Ends all containers of a node, whoever started them, then containerd, and
 * removes its configuration. A containerd that was killed left its containers
 * running: it comes back, to end them.
 */
function endContainerd(): Command {
  const script = runs + begin +
    'if [ -e "$2" ]; then runs "$@" || begin "$@"; ' +
    "for space in $(ctr namespaces ls -q); do " +
    'for id in $(ctr -n "$space" tasks ls -q); do ctr -n "$space" tasks rm --force "$id"; done; ' +
    'for id in $(ctr -n "$space" containers ls -q); do ctr -n "$space" containers rm "$id"; done; ' +
    'done; kill "$pid"; while runs "$@"; do sleep 0.02; done; fi; rm -f "$2" "$1"';
  return {
    ...cmd`sh -c ${script} end ${files}`,
    label: "end the node's containers and its containerd",
  };
}

/** containerd keeps containers apart by namespaces of its own: those of Kubernetes are in k8s.io. */
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
  `[ ! -e ${pidPath} ] || { echo "$DENO_CNI_NODE"; ctr --connect-timeout=5s -n ${namespace} tasks ls; }`;

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
 * program begins; nobody calls DEL (`ctr run --detach`).
 *
 * @param netns the path of its network namespace, which is there already
 */
export function runContainer(
  { id, cgroup }: Container,
  program: Command,
  netns: string,
): Command {
  return cmd`ctr -n ${namespace} run --detach --cni --read-only --env=PATH=/bin --cgroup=${cgroup} --with-ns=network:${netns} --rootfs ${rootfs} ${id} ${program.argv}`;
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
