/**
 * What a machine needs before kubeadm can make a node of it: what the kernel
 * is to do, no swap, a container runtime, the Kubernetes packages. What is
 * there already is used as it is.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { exitAbsent, put, saysAbsent } from "../exec/shell_file.ts";
import { write } from "../exec/shell_file.ts";
import { packageSteps, runtimeStep } from "./packages.ts";
import type { Family } from "../net/cidr.ts";
import {
  bridgedFrames,
  bridgedFramesSettings,
  forwardingSwitch,
  forwardingSwitches,
} from "../steps/forwarding_switch.ts";
import { heedRouters } from "../steps/router_advertisements.ts";
import { unknown } from "../steps/probes.ts";
import { fileIs } from "../steps/file_probes.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

const isOurs = (text: string) => text.startsWith(`# ${mark}:`);

/** All steps of a machine, in their order. */
export function machineSteps(cluster: Cluster): readonly Step[] {
  return [
    ...kernelSteps(cluster),
    swapStep(),
    runtimeConfigStep(),
    runtimeStep(),
    ...packageSteps(cluster),
  ];
}

/**
 * Modules and sysctls, now and after a reboot.
 * https://kubernetes.io/docs/setup/production-environment/container-runtimes/
 */
function kernelSteps({ clusterCIDRs, bridge }: Cluster): Step[] {
  const modules = `# ${mark}: written by stage 02\noverlay\nbr_netfilter\n`;
  const six = clusterCIDRs.some((text) => text.includes(":"));
  const families: readonly Family[] = six ? [4, 6] : [4];
  const sysctls = families.flatMap((family) =>
    [forwardingSwitches, bridgedFramesSettings].map((names) => names[family])
  );
  const settings = `# ${mark}: written by stage 02\n` +
    sysctls.map((name) => `${name} = 1\n`).join("");
  const kept = (path: string, content: string, why: string): Step => ({
    why,
    doneWhen: fileIs(path, content, isOurs),
    run: write(path, content),
    undo: cmd`rm -f ${path}`,
  });
  return [
    kept(
      "/etc/modules-load.d/deno-cni.conf",
      modules,
      "The kernel's modules that containers and bridges need, also after a reboot",
    ),
    {
      why:
        "The same now: overlay for containers' roots, br_netfilter so that bridged " +
        "frames meet iptables",
      doneWhen: featuresThere(),
      run: cmd`modprobe -a overlay br_netfilter`,
    },
    ...(six ? [heedRouters(bridge)] : []),
    kept(
      "/etc/sysctl.d/90-deno-cni.conf",
      settings,
      "A node is a router for its pods, also after a reboot",
    ),
    ...families.flatMap((family) => [
      forwardingSwitch(family, "The same now"),
      bridgedFrames(family, "The same now"),
    ]),
  ];
}

/** Asked of what the modules bring, since a kernel may have it built in. */
function featuresThere(): Probe {
  const script = "[ -d /proc/sys/net/bridge ] && " +
    `grep -qw overlay /proc/filesystems || ${exitAbsent}`;
  return {
    ask: cmd`sh -c ${script}`,
    read: (outcome) =>
      succeeded(outcome)
        ? { is: "present" }
        : saysAbsent(outcome)
        ? { is: "absent" }
        : unknown(outcome, "what the kernel can do"),
  };
}

function swapStep(): Step {
  const ask = "swaps=$(tail -n +2 /proc/swaps) && " +
    `{ [ -z "$swaps" ] || { echo "$swaps"; ${exitAbsent}; }; }`;
  const line = "^[^#[:space:]][^[:space:]]*[[:space:]]\\{1,\\}" +
    "[^[:space:]]\\{1,\\}[[:space:]]\\{1,\\}swap[[:space:]]";
  const off = 'swapoff -a && sed -i "s/$1/# $2: &/" /etc/fstab';
  const on = 'sed -i "s/^# $1: //" /etc/fstab && swapon -a';
  return {
    why:
      "The kubelet counts on memory that does not move to disk, and refuses to start with swap",
    doneWhen: {
      ask: cmd`sh -c ${ask}`,
      read: (outcome) =>
        succeeded(outcome)
          ? { is: "present" }
          : saysAbsent(outcome)
          ? { is: "absent", previous: "on" }
          : unknown(outcome, "whether there is swap"),
    },
    run: { ...cmd`sh -euc ${off} swap ${line} ${mark}`, label: "swapoff -a" },
    undo: () => ({
      ...cmd`sh -euc ${on} swap ${mark}`,
      label: "swapon -a",
    }),
  };
}

const containerdConfig = "/etc/containerd/config.toml";

/**
 * Written before containerd is installed: a distribution's own configuration
 * may look for plugins elsewhere (Debian: /usr/lib/cni), and is not put over
 * one that is there.
 */
function runtimeConfigStep(): Step {
  const ask =
    `command -v crio >/dev/null && exit 0; [ -e "$1" ] || ${exitAbsent}; cat "$1"`;
  const make = put +
    "driver=false; [ ! -d /run/systemd/system ] || driver=true\n" +
    'put "$1" 644 sed "s/DRIVER/$driver/"\n' +
    "! command -v containerd >/dev/null || systemctl restart containerd";
  return {
    why:
      "containerd takes its plugins from /opt/cni/bin, and leaves control groups to " +
      "systemd where that runs",
    doneWhen: {
      ask: cmd`sh -c ${ask} ask ${containerdConfig}`,
      read(outcome) {
        if (saysAbsent(outcome)) return { is: "absent" };
        if (!succeeded(outcome)) {
          return unknown(outcome, `what ${containerdConfig} holds`);
        }
        if (isOurs(outcome.stdout)) return { is: "present", ours: true };
        const mistake = mistakeIn(outcome.stdout);
        return mistake === undefined ? { is: "present" } : {
          is: "different",
          found: `${containerdConfig} ${mistake}`,
          remedy:
            "mend that and restart containerd, or move the file away; then run this stage again",
        };
      },
    },
    run: {
      ...cmd`sh -euc ${make} write ${containerdConfig}`,
      stdin: `# ${mark}: written by stage 02
version = 2
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/opt/cni/bin"
  conf_dir = "/etc/cni/net.d"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  SystemdCgroup = DRIVER
`,
      label: `write ${containerdConfig}`,
    },
    undo: cmd`rm -f ${containerdConfig}`,
    timeout_ms: 120_000,
  };
}

/** What in a containerd configuration that was there keeps a kubelet from working with it. */
function mistakeIn(config: string): string | undefined {
  if (
    /^\s*disabled_plugins\s*=\s*\[[^\]]*["'](?:[\w.]*\.)?cri["']/m.test(config)
  ) {
    return "disables the plugin cri, by which the kubelet talks to containerd";
  }
  const folder = /^\s*bin_dirs?\s*=\s*(.*)$/m.exec(config)?.[1];
  return folder === undefined || /\/opt\/cni\/bin/.test(folder)
    ? undefined
    : `looks for plugins in ${folder.trim()}, not in /opt/cni/bin`;
}
