/** The doctor's check of NetworkPolicy objects, which this pod network does not enforce. Pure. */
import { askPath } from "../exec/shell_file.ts";
import type { Command } from "../exec/command.ts";
import { adminConf, usesKubeadm } from "../kubernetes/kubeconfig.ts";
import { kubectl } from "../kubernetes/kubectl.ts";
import { someNames } from "../text/some_names.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
} from "./check.ts";
import { fromKubectl } from "./kubectl_answer.ts";

const asksHere = ({ cluster, node }: CheckContext) =>
  usesKubeadm(cluster) && node.role === "control-plane";

/** A line an object: its kind, and its name behind its namespace. */
const form =
  '{range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\\n"}{end}';

const question: Command = {
  ...askPath(
    adminConf,
    'exec kubectl --kubeconfig "$1" --request-timeout=10s get ' +
      'networkpolicies,daemonsets -A -o "jsonpath=$2"',
    form,
  ),
  label: "kubectl get networkpolicies,daemonsets -A",
};

/** The agents of others that enforce policies beside a pod network of whatever kind. */
const enforcer =
  /\/(calico|canal|cilium|kube-router|weave-net|antrea|kube-ovn|ovnkube|kube-network-policies)/;

export const networkPolicies: Check = {
  name: "network-policies",
  well: "no NetworkPolicy is there that nothing enforces",
  asks: (context) => asksHere(context) ? [question] : [],
  read(context, [asked]) {
    if (!asksHere(context)) {
      return [{ is: "does not apply", what: "no control plane is here" }];
    }
    return fromKubectl(
      "which NetworkPolicies there are",
      asked,
      (printed) => unenforced(context, printed),
    );
  },
};

function unenforced(
  context: CheckContext,
  printed: string,
): readonly Finding[] {
  const lines = printed.split("\n");
  const of = (kind: string) =>
    lines.filter((line) => line.startsWith(`${kind} `))
      .map((line) => line.slice(kind.length + 1));
  const policies = of("NetworkPolicy");
  if (
    policies.length === 0 || of("DaemonSet").some((one) => enforcer.test(one))
  ) {
    return [];
  }
  return [{
    is: "warning",
    what: (policies.length === 1
      ? `the NetworkPolicy ${policies[0]} is`
      : `${policies.length} NetworkPolicies are`) +
      " enforced by nothing: this pod network lets every pod reach every other" +
      (policies.length === 1 ? "" : ` (${someNames(policies)})`),
    evidence: [shownBy(context, kubectl("get", "networkpolicies", "-A"))],
    remedies: [{
      say: "run an agent that enforces policies beside this network (e.g. " +
        "kube-router with --run-firewall alone), or take another network; " +
        "what must be kept apart is open until then",
    }],
  }];
}
