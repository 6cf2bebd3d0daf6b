/** The packages of a machine that becomes a node: fetched by apt-get where they are missing. */
import type { Cluster } from "../cluster/cluster.ts";
import { usualKubernetes } from "../cluster/schema_kubernetes.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { exitAbsent, put, saysAbsent, write } from "../exec/shell_file.ts";
import { unknown } from "../steps/probes.ts";
import type { Probe, Step } from "../stage/stage.ts";

/** Milliseconds that packages may take to be fetched and installed. */
const packages_ms = 900_000;

/** Asks nothing, keeps files that are there, and waits for an upgrade at first boot to end. */
const apt = "apt() { DEBIAN_FRONTEND=noninteractive apt-get -q -y " +
  '-o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"; }\n';

/** Installs a container runtime where there is none. */
export function runtimeStep(): Step {
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

/**
 * Installs kubeadm, kubelet and kubectl.
 * https://kubernetes.io/docs/setup/production-environment/tools/kubeadm/install-kubeadm/
 */
export function packageSteps(
  { kubernetes = usualKubernetes }: Cluster,
): Step[] {
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
    key: `write ${sources}`,
    run: write(sources, line),
    undo: cmd`rm -f ${sources}`,
  }, {
    why:
      "kubeadm makes a node of the machine, the kubelet runs it; held, so that no " +
      "upgrade of the system moves them",
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

/** Are these programs there, or all of the others in their place? Else, can they be installed? */
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

/** A file that is wanted only where packages are to be installed. */
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
