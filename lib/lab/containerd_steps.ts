/**
 * A container runtime on a lab's nodes: containerd with runc, and a plain folder
 * that containers start from. Daemon, shims and files are the node's own.
 */
import { makeLine } from "../cluster/make_line.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command } from "../exec/command.ts";
import { exitAbsent, saysAbsent, write } from "../exec/shell_file.ts";
import { unknown } from "../steps/probes.ts";
import { fileIs } from "../steps/file_probes.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

const configPath = "/etc/deno-cni/containerd.toml";
/** Where a node keeps the process id of the containerd that was started there. */
export const pidPath = "/run/deno-cni-containerd.pid";
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
            remedy: `${makeLine("down", { file })}, then sudo ${
              makeLine("up", { file })
            }; or go without containers (RUNTIME=none)`,
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
      label: `fill ${rootfs} from busybox`,
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
 * Ends all containers of a node, also those that others started, then containerd, and
 * removes its configuration. A containerd that was killed left its containers
 * running: it comes back, to end them.
 */
function endContainerd(): Command {
  const script = runs + begin +
    'if [ -e "$2" ]; then runs "$@" || begin "$@"; ' +
    "for space in $(ctr namespaces ls -q); do " +
    'for id in $(ctr -n "$space" tasks ls -q); do ctr -n "$space" tasks rm --force "$id"; done; ' +
    'for id in $(ctr -n "$space" containers ls -q); do ' +
    'ctr -n "$space" containers rm "$id"; done; ' +
    'done; kill "$pid"; while runs "$@"; do sleep 0.02; done; fi; rm -f "$2" "$1"';
  return {
    ...cmd`sh -c ${script} end ${files}`,
    label: "end the node's containers and its containerd",
  };
}
