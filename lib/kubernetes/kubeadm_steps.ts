/**
 * Nodes made of machines by kubeadm: the control plane first, then the workers
 * one after the other, since podCIDRs follow the order in which nodes appear.
 */
import { askPath, saysAbsent } from "../exec/shell_file.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { usualKubernetes } from "../cluster/schema_kubernetes.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
import {
  adminConf,
  cannotTell,
  controlPlaneOf,
  userStep,
} from "./kubeconfig.ts";
import { kubeletConf, reset, statePath } from "./reset.ts";
import type { Probe, Step } from "../stage/stage.ts";

/** Milliseconds for kubeadm, which fetches images and waits for what it has started. */
const kubeadm_ms = 600_000;

/** What makes a machine a node of the cluster. */
export function nodeSteps(
  cluster: Cluster,
  node: ClusterNode,
): readonly Step[] {
  const controlPlane = controlPlaneOf(cluster);
  if (node.name !== controlPlane.name) {
    return [
      joinStep(cluster, controlPlane, node),
      podCIDRStep(node, kubeletConf),
    ];
  }
  const { podsOnControlPlane } = cluster.kubernetes ?? usualKubernetes;
  return [
    initStep(cluster, node),
    userStep(),
    podCIDRStep(node, adminConf),
    ...(podsOnControlPlane === "yes" ? [untaintStep(node)] : []),
  ];
}

/**
 * Begins with an empty machine where an earlier try was cut off, and not before
 * that has ended here: who loses the connection does not end kubeadm.
 */
const begin = `mkdir -p "\${state%/*}"
exec 9>"$state.lock"
flock -w 500 9 || { echo "an earlier kubeadm is still at work here" >&2; exit 1; }
[ "$(cat "$state" 2>/dev/null)" != done ] || [ ! -e "$made" ] || exit 0
[ ! -e "$state" ] || kubeadm reset -f >&2 9>&-
echo running >"$state"
`;

function initStep(cluster: Cluster, { name, address }: ClusterNode): Step {
  const flags = [
    `--pod-network-cidr=${cluster.clusterCIDRs.join(",")}`,
    `--apiserver-advertise-address=${address}`,
    `--node-name=${name}`,
    "--skip-token-print",
    "--token-ttl=15m",
  ];
  const script = `state=$1 made=$2; shift 2\n${begin}kubeadm init "$@" 9>&-\n` +
    'echo done >"$state"';
  return {
    why:
      "The control plane: API server, scheduler, controller manager and etcd, which splits the clusterCIDR among the nodes",
    doneWhen: madeByKubeadm(adminConf, undefined),
    run: {
      ...cmd`sh -euc ${script} init ${statePath} ${adminConf} ${flags}`,
      label: `kubeadm init ${flags.join(" ")}`,
    },
    undo: { cleanup: reset() },
    timeout_ms: kubeadm_ms,
  };
}

function joinStep(
  { nodes }: Cluster,
  controlPlane: ClusterNode,
  { name, addresses }: ClusterNode,
): Step {
  const workers = nodes.filter((node) => node.name !== controlPlane.name);
  const before = workers[workers.findIndex((node) => node.name === name) - 1];
  // The file holds a token: nobody else may read it, and it does not stay.
  const script = `state=$1 made=$2; shift 2; umask 077
file=$(mktemp /run/deno-cni-join.XXXXXX)
trap 'rm -f "$file"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$file"; [ -s "$file" ]
${begin}kubeadm join --discovery-file "$file" "$@" 9>&-
echo done >"$state"`;
  return {
    why:
      "The kubelet gets its own key from the control plane, by a token that was made for this moment",
    doneWhen: madeByKubeadm(kubeletConf, controlPlane.address),
    input: {
      from: controlPlane.name,
      why: "a token to join with",
      ask: tokenFor(name, addresses),
      secret: /\b[a-z0-9]{6}\.[a-z0-9]{16}\b/g,
      after: before === undefined ? [] : [before.name],
    },
    run: {
      ...cmd`sh -euc ${script} join ${statePath} ${kubeletConf} ${`--node-name=${name}`}`,
      label: `kubeadm join --discovery-file FILE --node-name=${name}`,
    },
    undo: { cleanup: reset() },
    timeout_ms: kubeadm_ms,
  };
}

/**
 * Makes a token, and prints it as a kubeconfig for `kubeadm join
 * --discovery-file`: so it is in nobody's arguments. kubeadm refuses the name of
 * a node that is Ready; one that an earlier life of the same machine has left
 * behind goes, and one that is no longer Ready keeps its podCIDR for the new one.
 */
function tokenFor(name: string, addresses: readonly string[]): Command {
  const script = `export KUBECONFIG=$1
name=$2; shift 2
field='{.status.conditions[?(@.type=="Ready")].status} {.status.addresses[?(@.type=="InternalIP")].address}'
old=$(kubectl get node "$name" -o "jsonpath=$field" 2>/dev/null) || old=
case $old in "True "*) ;; *) old= ;; esac
for address; do
  case " $old " in
  *" $address "*) kubectl delete node "$name" >&2; break ;;
  esac
done
value() { sed -n "s/^ *$1: //p" "$KUBECONFIG" | head -n 1; }
token=$(kubeadm token create --ttl 15m --description "joins $name" | tail -n 1)
case $token in *.*) ;; *) echo "kubeadm made no token" >&2; exit 1 ;; esac
cat <<END
apiVersion: v1
kind: Config
current-context: join
contexts: [{name: join, context: {cluster: join, user: join}}]
clusters: [{name: join, cluster: {server: "$(value server)", certificate-authority-data: $(value certificate-authority-data)}}]
users: [{name: join, user: {token: "$token"}}]
END`;
  return {
    ...cmd`sh -euc ${script} token ${adminConf} ${name} ${addresses}`,
    label: "kubeadm token create",
  };
}

/**
 * Has kubeadm done its work here?
 *
 * @param file what it leaves behind when it is done
 * @param controlPlane the address of the control plane to which a worker has to belong
 */
function madeByKubeadm(file: string, controlPlane: string | undefined): Probe {
  const script =
    'state=$(cat "$2" 2>/dev/null) || state=theirs; echo "$state"; ' +
    'sed -n "s/^ *server: //p" "$1"';
  return {
    ask: askPath(file, script, statePath),
    read(outcome) {
      if (saysAbsent(outcome)) return { is: "absent" };
      const [state, server = ""] = outcome.stdout.trim().split("\n");
      if (!succeeded(outcome)) return cannotTell(outcome, `what ${file} is`);
      if (state === "running") return { is: "absent" };
      if (controlPlane !== undefined && !serves(server, controlPlane)) {
        return {
          is: "different",
          found: `this machine is a node of another cluster, ${server}`,
          remedy:
            "take it out of there (kubeadm reset) if nothing needs it, or name another machine in the cluster file",
        };
      }
      return state === "done"
        ? { is: "present", ours: true }
        : { is: "present" };
    },
  };
}

/** Whether a kubeconfig's server is the control plane; a name may be anybody's. */
function serves(server: string, controlPlane: string): boolean {
  const host = /^https:\/\/(?:\[([^\]]+)\]|([^:/]+))/.exec(server.trim());
  const found = host?.[1] ?? host?.[2] ?? "";
  return found === controlPlane ||
    !/^([0-9.]+|[0-9a-f:]+:[0-9a-f:]*)$/.test(found);
}

/** Waits until the node has its podCIDR: the next one may then appear. */
function podCIDRStep({ name }: ClusterNode, kubeconfig: string): Step {
  const get =
    cmd`kubectl --kubeconfig ${kubeconfig} get node ${name} -o ${"jsonpath={.spec.podCIDR}"}`;
  const script = 'tries=0; until [ -n "$("$@" 2>&1 | grep "/")" ]; do ' +
    'tries=$((tries + 1)); [ "$tries" -lt 120 ] || ' +
    '{ echo "no podCIDR after 2 minutes: $("$@" 2>&1)" >&2; exit 1; }; ' +
    "sleep 1; done";
  return {
    why:
      "kube-controller-manager gives a node its podCIDR soon after it appears, the next one to whoever comes next",
    doneWhen: {
      ask: get,
      read: (outcome) =>
        succeeded(outcome) && outcome.stdout.includes("/")
          ? { is: "present" }
          : { is: "absent" },
    },
    run: {
      ...cmd`sh -c ${script} wait ${get.argv}`,
      label: `wait until ${name} has a podCIDR`,
    },
    timeout_ms: 150_000,
  };
}

/** Before 1.24 the taint was called master; from 1.25 on only control-plane. */
function untaintStep({ name }: ClusterNode): Step {
  const ask = 'kubectl --kubeconfig "$1" get node "$2" ' +
    "-o 'jsonpath={.spec.taints[*].key}'";
  const script =
    `for key in $(kubectl --kubeconfig "$1" get node "$2" -o 'jsonpath={.spec.taints[*].key}'); do
  case $key in
  node-role.kubernetes.io/control-plane | node-role.kubernetes.io/master)
    kubectl --kubeconfig "$1" taint nodes "$2" "$key-" ;;
  esac
done`;
  return {
    why:
      "The control plane takes pods like any worker, as the cluster file asks",
    doneWhen: {
      ask: askPath(adminConf, ask, name),
      read(outcome) {
        if (saysAbsent(outcome)) return { is: "absent" };
        if (!succeeded(outcome)) {
          return cannotTell(outcome, `the taints of ${name}`);
        }
        return /node-role\.kubernetes\.io\/(control-plane|master)\b/.test(
            outcome.stdout,
          )
          ? { is: "absent" }
          : { is: "present" };
      },
    },
    run: {
      ...cmd`sh -euc ${script} untaint ${adminConf} ${name}`,
      label:
        `kubectl taint nodes ${name} node-role.kubernetes.io/control-plane-`,
    },
  };
}
