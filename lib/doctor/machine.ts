/**
 * The doctor's checks of the node as a machine: configuration, programs,
 * modules, clock. Pure.
 */
import { usesKubeadm } from "../kubernetes/kubeconfig.ts";
import { cmd } from "../exec/command.ts";
import {
  type Check,
  type Finding,
  lacking,
  shownBy,
  unclear,
} from "./check.ts";
import { evidence } from "../diagnosis/evidence.ts";
import {
  configFolder,
  parseList,
  type PluginConfig,
  pluginFolder,
  RuntimeError,
} from "../cni/runtime.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { mark } from "../net/mark.ts";

/** Machines that 02 makes nodes of Kubernetes of. */
const noKubelet: Finding = {
  is: "does not apply",
  what: "no kubelet is on this cluster's nodes",
};

const configuration: Check = {
  name: "configuration",
  well: "the runtime's first CNI configuration is ours, for the node's podCIDR",
  read(context) {
    const { host: { list }, node, nodes } = context;
    const ask = cmd`ls ${configFolder}`;
    if (list === undefined) {
      const what = `the runtime finds no configuration in ${configFolder}`;
      const seen = [shownBy(context, ask)];
      return [lacking(context, "03-cni-config", what, seen)];
    }
    const found = typesOf(list);
    const seen = [shownBy(context, cmd`cat ${list.path}`)];
    const aside = onNode(
      node.name,
      cmd`mv ${list.path} ${list.path}.off`,
    );
    if (typeof found === "string") {
      const remedies = [aside, makeStage("03-cni-config", node.name)];
      return [{ is: "fault", what: found, evidence: seen, remedies }];
    }
    const own = found.plugins.find(({ type }) => type === mark);
    if (own === undefined) {
      const remedies = [aside, makeStage("03-cni-config", node.name)];
      const types = found.plugins.map(({ type }) => type).join(", ");
      return [{
        is: "fault",
        what: `${list.path} sorts first, and the runtime takes that: its ` +
          `pods are started by ${types}`,
        evidence: seen,
        remedies,
      }];
    }
    return node.podCIDRs.filter((podCIDR) => !subnetsOf(own).includes(podCIDR))
      .map((podCIDR): Finding => {
        const subnets = subnetsOf(own);
        const owner = nodes.find(({ podCIDRs }) =>
          podCIDRs.some((one) => subnets.includes(one))
        );
        return {
          is: "fault",
          what: `the plugin gives addresses of ${subnets.join(", ")}` +
            (owner === undefined
              ? ""
              : `, the podCIDR of ${owner.name}: two pods get one address`) +
            `; the node's podCIDR is ${podCIDR}`,
          evidence: seen,
          remedies: [makeStage("03-cni-config", node.name)],
        };
      });
  },
};

function typesOf(list: { readonly path: string; readonly text: string }) {
  try {
    return parseList(list.text, list.path);
  } catch (error) {
    if (error instanceof RuntimeError) return error.message;
    throw error;
  }
}

/** The keys of our plugin's configuration, as 03 writes them. */
function subnetsOf({ subnet, subnets }: PluginConfig): readonly string[] {
  const all = Array.isArray(subnets) ? subnets : [subnet];
  return all.filter((one) => typeof one === "string");
}

const programs: Check = {
  name: "programs",
  well: "every plugin that the configuration names is there",
  read(context) {
    const { host: { list, plugins }, node } = context;
    const found = list === undefined ? undefined : typesOf(list);
    const types = typeof found === "object"
      ? found.plugins.map(({ type }) => type)
      : [mark];
    const seen = [
      shownBy(context, cmd`ls ${pluginFolder}`),
    ];
    const absent = types.filter((type) => !plugins.includes(type));
    return [
      ...absent.map((type): Finding => {
        const what = `no program ${pluginFolder}/${type}: no pod can start`;
        return type === mark ? lacking(context, "05-plugin", what, seen) : {
          is: "fault",
          what,
          evidence: seen,
          remedies: reference(node.name, type),
        };
      }),
      ...(usesKubeadm(context.cluster) && !plugins.includes("loopback")
        ? [{
          is: "fault" as const,
          what: `no program ${pluginFolder}/loopback: container runtimes ` +
            "call it for every pod, and none starts without",
          evidence: seen,
          remedies: reference(node.name, "loopback"),
        }]
        : []),
    ];
  },
};

/** Debian's package of the reference plugins has them in a folder of its own. */
function reference(node: string, type: string): readonly Remedy[] {
  return [
    onNode(node, cmd`apt-get install -y containernetworking-plugins`),
    onNode(node, cmd`ln -s /usr/lib/cni/${type} ${pluginFolder}/${type}`),
  ];
}

const containerdConfig = "/etc/containerd/config.toml";

const runtimeFolders: Check = {
  name: "runtime-folders",
  well: `containerd looks in ${configFolder} and ${pluginFolder}`,
  asks: (context) =>
    usesKubeadm(context.cluster)
      ? [
        cmd`grep -Hs -e ${"^ *bin_dir"} -e ${"^ *conf_dir"} ${containerdConfig}`,
      ]
      : [],
  read(context, [asked]) {
    if (!usesKubeadm(context.cluster)) return [noKubelet];
    // 1: it says nothing of them; 2: there is no such file (grep(1)).
    if (
      asked === undefined || ![0, 1, 2].includes(asked.outcome.code ?? NaN)
    ) {
      return [unclear("where containerd looks for plugins", asked)];
    }
    const wanted = { bin_dir: pluginFolder, conf_dir: configFolder };
    return [...asked.outcome.stdout.matchAll(
      /^([^:]*): *(bin_dir|conf_dir) *= *["'](.*)["']/gm,
    )].flatMap(
      ([line, file = "", key = "", folder = ""]): readonly Finding[] => {
        const right = wanted[key === "bin_dir" ? "bin_dir" : "conf_dir"];
        if (folder === right || folder === "") return [];
        return [{
          is: "fault",
          what: `containerd's ${key} is ${folder}, and the stages use ${right}`,
          evidence: [evidence(asked, line)],
          remedies: [
            onNode(
              context.node.name,
              cmd`sed -i ${`s|${key} *= .*|${key} = "${right}"|`} ${file}`,
            ),
            onNode(context.node.name, cmd`systemctl restart containerd`),
          ],
        }];
      },
    );
  },
};

const modulesScript = "grep -qw overlay /proc/filesystems && echo overlay; " +
  "[ -d /proc/sys/net/bridge ] && echo br_netfilter; :";

const modules: Check = {
  name: "modules",
  well: "the kernel has overlay and br_netfilter",
  asks: () => [cmd`sh -c ${modulesScript}`],
  read(context, [asked]) {
    if (!usesKubeadm(context.cluster)) {
      return [noKubelet];
    }
    if (asked === undefined || asked.outcome.code !== 0) {
      return [unclear("which modules the kernel has", asked)];
    }
    const there = asked.outcome.stdout.split("\n");
    return ["overlay", "br_netfilter"].filter((name) => !there.includes(name))
      .map((name) => {
        const what = `the kernel's module ${name} is not loaded`;
        const ask = name === "overlay"
          ? cmd`grep overlay /proc/filesystems`
          : cmd`ls -d /proc/sys/net/bridge`;
        const seen = [shownBy(context, ask)];
        return lacking(context, "02-kubeadm", what, seen);
      });
  },
};

/** Certificates and tokens are good from the second they are made on. */
const skew_s = 5;

const clock: Check = {
  name: "clock",
  well: "the clock goes as the operator's does",
  asks: () => [cmd`date +%s`],
  read({ node, asked: { from_s, until_s } }, [asked]) {
    const time = Number(asked?.outcome.stdout.trim() || NaN);
    if (asked === undefined || Number.isNaN(time)) {
      return [unclear("what time it is there", asked)];
    }
    const off = time < from_s ? time - from_s : Math.max(0, time - until_s);
    if (Math.abs(off) <= skew_s) return [];
    return [{
      is: "warning",
      what: `the clock is ${Math.round(Math.abs(off))} s ${
        off < 0 ? "behind" : "ahead of"
      } the operator's: certificates and tokens may count as expired or as not valid yet`,
      evidence: [evidence(asked)],
      remedies: [onNode(node.name, cmd`timedatectl set-ntp true`)],
    }];
  },
};

export const machineChecks: readonly Check[] = [
  configuration,
  programs,
  runtimeFolders,
  modules,
  clock,
];
