/**
 * What is kept of a cluster that kubeadm made:
 * the kubeconfig, for its users, and each node's podCIDRs.
 */
import {
  type Cluster,
  type ClusterNode,
  podCIDRsPath,
} from "../cluster/cluster.ts";
import { cmd, type Outcome, succeeded } from "../exec/command.ts";
import {
  askPath,
  exitAbsent,
  put,
  saysAbsent,
  writeOutput,
} from "../exec/shell_file.ts";
import type { Answer, Input, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** What kubectl on the control plane goes by. */
export const adminConf = "/etc/kubernetes/admin.conf";

/** Where the operator's own kubeconfig is. */
export function kubeconfigPath(
  { stateDir }: Pick<Cluster, "stateDir">,
): string {
  return `${stateDir}/kubeconfig`;
}

/** What the operator keeps of it: the kubeconfig, and each node's podCIDRs. */
export function keepSteps(cluster: Cluster): readonly Step[] {
  const { name } = controlPlaneOf(cluster);
  const kubeconfig: Input = {
    from: name,
    why: "the cluster's kubeconfig",
    ask: cmd`cat ${adminConf}`,
    compared: true,
  };
  const podCIDRs: Input = {
    from: name,
    why: "every node's podCIDRs",
    ask:
      cmd`kubectl --kubeconfig ${adminConf} get nodes -o ${`go-template=${podCIDRsTemplate}`}`,
    compared: true,
  };
  return [
    kept(
      kubeconfigPath(cluster),
      "600",
      kubeconfig,
      "Whoever has this file is the cluster's administrator, so only you may read it",
    ),
    kept(
      podCIDRsPath(cluster),
      "644",
      podCIDRs,
      "Which node has which podCIDR, for the stages that follow. The nodes stay " +
        "NotReady: there is no pod network yet, which stages 03 to 08 make",
    ),
  ];
}

/** Whether kubeadm makes nodes of the cluster's machines. */
export function usesKubeadm({ provider }: Pick<Cluster, "provider">): boolean {
  return provider !== "lab" && provider !== "local";
}

/** The control plane of a cluster. */
export function controlPlaneOf(
  { nodes }: Pick<Cluster, "nodes">,
): ClusterNode {
  const controlPlane = nodes.find(({ role }) => role === "control-plane");
  if (controlPlane === undefined) {
    throw new TypeError(
      "expected a control plane among the nodes of a checked cluster",
    );
  }
  return controlPlane;
}

/**
 * The kubeconfig where kubectl looks for it, for the user of the ssh connection.
 * One that is there is left alone.
 */
export function userStep(): Step {
  const home = "user=${SUDO_USER:-$(id -un)}\n" +
    'home=$(getent passwd "$user" | cut -d: -f6)\n' +
    "file=$home/.kube/config\n";
  const ask = `${home}[ -e "$file" ] || ${exitAbsent}
head -n 1 "$file"; tail -n +2 "$file" | cmp -s - "$1" && echo same`;
  const copy = `${home}${put}umask 077
own() {
  echo "$2"; cat "$1"; chown "$user:$(id -gn "$user")" "$home/.kube" "$path.new"
}
put "$file" 600 own "$@"`;
  const take = `${home}rm -f "$file"`;
  const first = `# ${mark}: put here by stage 02`;
  return {
    why: "So that kubectl works for you on the control plane",
    doneWhen: {
      ask: cmd`sh -c ${ask} ask ${adminConf}`,
      read(outcome) {
        if (saysAbsent(outcome)) return { is: "absent" };
        const [line, same] = outcome.stdout.split("\n");
        if (line !== first) {
          return line
            ? { is: "present" }
            : cannotTell(outcome, "what ~/.kube/config is");
        }
        return same === "same"
          ? { is: "present", ours: true }
          : { is: "absent" };
      },
    },
    run: {
      ...cmd`sh -euc ${copy} put ${adminConf} ${first}`,
      label: `copy ${adminConf} to ~/.kube/config`,
    },
    undo: { ...cmd`sh -euc ${take} take`, label: "rm -f ~/.kube/config" },
  };
}

/** A JSON object: lists of podCIDRs by the nodes' names. */
const podCIDRsTemplate = '{{"{"}}{{$comma := ""}}{{range .items}}' +
  "{{if .spec.podCIDRs}}{{$comma}}\n" +
  '  "{{.metadata.name}}": [{{range $i, $c := .spec.podCIDRs}}{{if $i}}, {{end}}"{{$c}}"{{end}}]' +
  '{{$comma = ","}}{{end}}{{end}}\n}\n';

/** A file of the operator's that is as another node says. */
function kept(path: string, mode: string, input: Input, why: string): Step {
  return {
    why,
    input,
    doneWhen: {
      ask: askPath(path, 'stat -c %a "$1"; cat "$1"'),
      read(outcome, input) {
        if (saysAbsent(outcome)) return { is: "absent" };
        if (!succeeded(outcome)) return cannotTell(outcome, `what ${path} is`);
        return input === undefined || outcome.stdout === `${mode}\n${input}`
          ? { is: "present", ours: true }
          : { is: "absent" };
      },
    },
    run: { ...writeOutput(path, mode, cmd`cat`), label: `write ${path}` },
    undo: cmd`rm -f ${path}`,
  };
}

/** Like unknown() of lib/probe.ts, for a question whose answer is secret. */
export function cannotTell(
  { stderr, code, ended }: Outcome,
  what: string,
): Answer {
  const how = ended ?? `exit code ${code}`;
  return {
    is: "unknown",
    reason: `cannot tell ${what}: ${how}: ${stderr.trim()}`,
  };
}
