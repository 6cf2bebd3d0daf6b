/**
 * What a machine needs before kubeadm can make a node of it: what the kernel
 * is to do, no swap, a container runtime, the Kubernetes packages. What is
 * there already is used as it is.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { usualKubernetes } from "../cluster/schema_kubernetes.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { exitAbsent, put, saysAbsent, write } from "../exec/shell_file.ts";
import { sysctlIs, unknown } from "../steps/probes.ts";
import { fileIs } from "../steps/file_probes.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** Milliseconds that packages may take to be fetched and installed. */
const packages_ms = 900_000;

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

/** Modules and sysctls, now and after a reboot. https://kubernetes.io/docs/setup/production-environment/container-runtimes/ */
function kernelSteps({ clusterCIDRs }: Cluster): Step[] {
  const modules = `# ${mark}: written by stage 02\noverlay\nbr_netfilter\n`;
  const six = clusterCIDRs.some((text) => text.includes(":"));
  const sysctls = [
    "net.ipv4.ip_forward",
    "net.bridge.bridge-nf-call-iptables",
    ...(six
      ? [
        "net.ipv6.conf.all.forwarding",
        "net.bridge.bridge-nf-call-ip6tables",
      ]
      : []),
  ];
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
        "The same now: overlay for containers' roots, br_netfilter so that bridged frames meet iptables",
      doneWhen: featuresThere(),
      run: cmd`modprobe -a overlay br_netfilter`,
    },
    kept(
      "/etc/sysctl.d/90-deno-cni.conf",
      settings,
      "A node is a router for its pods, also after a reboot",
    ),
    ...sysctls.map((name): Step => ({
      why: "The same now",
      doneWhen: sysctlIs(name, "1"),
      run: cmd`sysctl -w ${name}=1`,
      undo: (previous: string) => cmd`sysctl -w ${name}=${previous}`,
    })),
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
      "containerd takes its plugins from /opt/cni/bin, and leaves control groups to systemd where that runs",
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

/** What in a containerd configuration of somebody else's keeps a kubelet from working with it. */
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

/** apt-get that asks nothing, keeps files that are there, and waits for an upgrade at first boot to end. */
const apt = "apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y " +
  '-o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"; }\n';

function runtimeStep(): Step {
  return {
    why: "What starts a pod's containers, and calls the plugin for each pod",
    doneWhen: programs(["containerd"], ["crio"]),
    run: {
      ...cmd`sh -euc ${apt + "apt update; apt install containerd"} install`,
      label: "apt-get install containerd",
    },
    undo: {
      ...cmd`sh -euc ${apt + "apt purge containerd"} remove`,
      label: "apt-get purge containerd",
    },
    timeout_ms: packages_ms,
  };
}

const names = ["kubeadm", "kubelet", "kubectl"];
const keyring = "/etc/apt/keyrings/deno-cni-kubernetes.asc";
const sources = "/etc/apt/sources.list.d/deno-cni-kubernetes.list";

/** https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/ */
function packageSteps({ kubernetes = usualKubernetes }: Cluster): Step[] {
  const site = `https://pkgs.k8s.io/core:/stable:/v${kubernetes.version}/deb/`;
  const fetch = apt + put +
    "command -v curl >/dev/null || { apt update; apt install curl ca-certificates; }\n" +
    'put "$2" 644 curl -fsSL --retry 3 "$1"';
  const install = `${apt}apt update; apt install "$@"; apt-mark hold "$@"`;
  const remove =
    `${apt}apt-mark unhold "$@"; apt purge "$@"; apt autoremove --purge`;
  const line = `deb [signed-by=${keyring}] ${site} /\n`;
  return [{
    why: "The key that the Kubernetes packages are signed with",
    doneWhen: unlessInstalled(keyring),
    run: {
      ...cmd`sh -euc ${fetch} fetch ${site}Release.key ${keyring}`,
      label: `fetch ${site}Release.key`,
    },
    undo: cmd`rm -f ${keyring}`,
    timeout_ms: packages_ms,
  }, {
    why: `Where the packages of Kubernetes ${kubernetes.version} come from`,
    doneWhen: unlessInstalled(sources, line),
    run: write(sources, line),
    undo: cmd`rm -f ${sources}`,
  }, {
    why:
      "kubeadm makes a node of the machine, the kubelet runs it; held, so that no upgrade of the system moves them",
    doneWhen: programs(names),
    run: {
      ...cmd`sh -euc ${install} install ${names}`,
      label: `apt-get install ${names.join(" ")}; apt-mark hold them`,
    },
    undo: {
      ...cmd`sh -euc ${remove} remove ${names}`,
      label: `apt-get purge ${names.join(" ")}`,
    },
    timeout_ms: packages_ms,
  }];
}

/** Are all these programs there, or all of the others in their place? Else, can they be installed? */
function programs(
  wanted: readonly string[],
  instead: readonly string[] = wanted,
): Probe {
  const script =
    `there() { for name in $1; do command -v "$name" >/dev/null || return; done; }
there "$1" || there "$2" && exit 0
command -v apt-get >/dev/null && ${exitAbsent}
[ ! -r /etc/os-release ] || . /etc/os-release
echo "\${PRETTY_NAME:-$(uname -s)}"; exit 45`;
  return {
    ask: cmd`sh -c ${script} ask ${wanted.join(" ")} ${instead.join(" ")}`,
    read(outcome) {
      if (succeeded(outcome)) return { is: "present" };
      if (saysAbsent(outcome)) return { is: "absent" };
      if (outcome.code !== 45) return unknown(outcome, "what is installed");
      return {
        is: "different",
        found: `${
          wanted.join(", ")
        }: not all installed, and ${outcome.stdout.trim()} has no apt-get`,
        remedy: `install ${
          wanted.join(", ")
        } by its own means, then run this stage again; this stage installs on Debian and Ubuntu`,
      };
    },
  };
}

/** A file that only somebody wants who has packages to install. */
function unlessInstalled(path: string, content?: string): Probe {
  const script =
    'file=$1; shift; if [ -e "$file" ]; then cat "$file"; exit; fi; ' +
    `for name; do command -v "$name" >/dev/null || ${exitAbsent}; done; exit 46`;
  return {
    ask: cmd`sh -c ${script} ask ${path} ${names}`,
    read(outcome) {
      if (saysAbsent(outcome)) return { is: "absent" };
      if (outcome.code === 46) return { is: "present" };
      if (!succeeded(outcome)) return unknown(outcome, `what ${path} holds`);
      return content === undefined || outcome.stdout === content
        ? { is: "present", ours: true }
        : { is: "absent" };
    },
  };
}
