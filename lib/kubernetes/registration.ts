/** What Kubernetes has of a machine that kubeadm is done with: its Node, and the Node's podCIDR. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { saysAbsent } from "../exec/shell_file.ts";
import { cmd, type Outcome, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { cannotTell, controlPlaneOf } from "./kubeconfig.ts";
import type { Answer, Step } from "../stage/stage.ts";

const program = shellProgram("registration.sh", import.meta.url);

/**
 * Has the kubelet register its machine anew where Kubernetes has no Node for it:
 * the Node was deleted, and the machine still runs.
 */
export function registrationStep(
  cluster: Cluster,
  { name }: ClusterNode,
  kubeconfig: string,
): Step {
  const call = (verb: string) =>
    cmd`sh -c ${program} registration ${verb} ${kubeconfig} ${name}`;
  return {
    why:
      "A kubelet registers its machine as a Node when it starts; one that was " +
      "deleted since comes back when the kubelet is started again",
    doneWhen: {
      ask: { ...call("ask"), label: `kubectl get node ${name}` },
      read: (outcome) => readRegistration(outcome, name, cluster),
    },
    key: "the Node",
    run: {
      ...call("register"),
      label: `systemctl restart kubelet, until Kubernetes has the node ${name}`,
    },
    timeout_ms: 90_000,
  };
}

function readRegistration(
  outcome: Outcome,
  name: string,
  cluster: Cluster,
): Answer {
  const { code, stdout, stderr } = outcome;
  if (succeeded(outcome)) return { is: "present" };
  // kubeadm, which registers it, is still to run here.
  if (saysAbsent(outcome)) return { is: "unneeded" };
  if (/\(NotFound\)/.test(stderr)) return { is: "absent" };
  if (code === 45) {
    const own = stdout.trim();
    return {
      is: "different",
      found: `this machine is the node ${own} of Kubernetes, not ${name}`,
      remedy:
        `run kubeadm reset -f, and kubectl delete node ${own}, to have it join ` +
        `as ${name}; or name it ${own} in ${cluster.file}`,
    };
  }
  if (/Unauthorized|x509:/.test(stderr)) {
    return {
      is: "different",
      found: `the API server refuses the kubelet of ${name}: ${stderr.trim()}`,
      remedy:
        "if the cluster was made anew since it joined, run kubeadm reset -f " +
        "on it, then this stage again",
    };
  }
  const answer = cannotTell(outcome, `whether Kubernetes has the node ${name}`);
  if (answer.is !== "unknown") return answer;
  const controlPlane = controlPlaneOf(cluster).name;
  return {
    is: "unknown",
    reason: `${answer.reason}\nis the API server up? On ${controlPlane}: ` +
      "crictl ps -a, journalctl -u kubelet",
  };
}

/** Waits until the node has its podCIDR: the next one may then appear. */
export function podCIDRStep({ name }: ClusterNode, kubeconfig: string): Step {
  const get =
    cmd`kubectl --kubeconfig ${kubeconfig} get node ${name} -o ${"jsonpath={.spec.podCIDR}"}`;
  const script = 'tries=0; until [ -n "$("$@" 2>&1 | grep "/")" ]; do ' +
    'tries=$((tries + 1)); [ "$tries" -lt 120 ] || ' +
    '{ echo "no podCIDR after 2 minutes: $("$@" 2>&1)" >&2; exit 1; }; ' +
    "sleep 1; done";
  return {
    why:
      "kube-controller-manager gives a node its podCIDR soon after it appears, the next " +
      "one to whoever comes next",
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
