/**
 * What Kubernetes says of pods that do not run and of nodes that are not
 * Ready, as causes. Pure.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, show } from "../exec/command.ts";
import {
  kubectl,
  type KubernetesNode,
  type KubernetesPod,
  type KubernetesState,
  namespace,
  podWords,
} from "./kubectl.ts";
import type { Cause } from "../diagnosis/cause.ts";
import {
  makeStage,
  newPods,
  onNode,
  type Remedy,
} from "../diagnosis/remedy.ts";

/** Why a node is not Ready; undefined where it is. */
export function nodeFault(
  name: string,
  { nodes }: Pick<KubernetesState, "nodes">,
  controlPlane: string,
): Cause | undefined {
  const seen = nodes.get(name);
  if (seen?.ready === "True") return undefined;
  const cause = { kind: "node", on: name } as const;
  const command = kubectl("get", "node", name);
  if (seen === undefined) {
    return {
      ...cause,
      what: `${name} is no node of Kubernetes`,
      evidence: [{
        where: controlPlane,
        command: show(kubectl("get", "nodes")),
        printed: [...nodes.keys()].join(" ") || "none",
      }],
      remedies: [makeStage("02-kubeadm", name)],
    };
  }
  return {
    ...cause,
    what: `${name} is NotReady: ${notReady(seen)}`,
    evidence: [{
      where: controlPlane,
      command: show(command) + " -o json",
      printed: `Ready=${seen.ready} ${seen.reason}: ${seen.message}`,
    }],
    remedies: mendNode(seen, controlPlane),
  };
}

function notReady(seen: KubernetesNode): string {
  const { ready, message, reason } = seen;
  if (ready === "Unknown") return "its kubelet has stopped reporting";
  return lacksNetwork(seen)
    ? "its container runtime sees no pod network"
    : message || reason || "the kubelet gives no reason";
}

/**
 * Whether a node is NotReady for want of a CNI configuration, by the kubelet's
 * message, which is the container runtime's: "cni plugin not initialized",
 * "cni config uninitialized".
 */
export function lacksNetwork({ ready, message }: KubernetesNode): boolean {
  return ready === "False" &&
    /NetworkPluginNotReady|NetworkReady=false|cni (plugin|config)/i
      .test(message);
}

function mendNode(
  seen: KubernetesNode,
  controlPlane: string,
): readonly Remedy[] {
  const { name, ready } = seen;
  if (ready === "Unknown") {
    return [
      onNode(name, cmd`systemctl restart kubelet`),
      onNode(name, cmd`systemctl status kubelet containerd`),
    ];
  }
  if (lacksNetwork(seen)) return [makeStage("03-cni-config", name)];
  // The words of the kubelet's runtime state, and of its generic PLEG.
  if (/container runtime is down|PLEG is not healthy/i.test(seen.message)) {
    return [
      onNode(name, cmd`systemctl restart containerd`),
      onNode(name, cmd`systemctl status containerd`),
    ];
  }
  return [onNode(controlPlane, kubectl("describe", "node", name))];
}

/** Why a pod does not run. */
export function startFault(
  pod: KubernetesPod | undefined,
  name: string,
  node: string,
  { file }: Cluster,
  controlPlane: string,
): Cause {
  const cause = { kind: "start", on: node } as const;
  const describe = kubectl("-n", namespace, "describe", "pod", name);
  const [last] = pod?.warnings.slice(-1) ?? [];
  const evidence = [{
    where: controlPlane,
    command: show(describe),
    printed: saidOf(pod) || podWords(pod),
  }];
  if (pod !== undefined && /Image|^ErrImage/.test(pod.waiting?.reason ?? "")) {
    // One image, one cause, on however many nodes.
    return {
      kind: "image",
      on: controlPlane,
      what: `the image of the test pods, ${pod.image}, cannot be had`,
      evidence,
      remedies: [
        {
          say: `edit ${file}: name an image in kubernetes.testImage that the ` +
            "nodes can pull",
        },
        { stage: "09-verify" },
      ],
    };
  }
  if (last?.reason === "FailedCreatePodSandBox") {
    return {
      ...cause,
      what: `pod ${name} gets no network: ${pluginSaid(last.message)}`,
      evidence,
      // What the plugin does by, needs, and is.
      remedies: (["03-cni-config", "04-bridge", "05-plugin"] as const)
        .map((stage) => makeStage(stage, node)),
    };
  }
  return {
    ...cause,
    what: `pod ${name} does not run: ${podWords(pod)}`,
    evidence,
    remedies: [onNode(controlPlane, describe), ...newPods(node)],
  };
}

/** What the kubelet says of a pod that does not run: the state, and what went wrong last. */
function saidOf(pod: KubernetesPod | undefined): string {
  const { waiting, warnings = [] } = pod ?? {};
  const said = [
    ...(waiting === undefined ? [] : [waiting]),
    // "Error: ImagePullBackOff" says nothing that the state does not.
    ...warnings.filter(({ message }) => !/^Error: \S+$/.test(message))
      .slice(-1),
  ].map(({ reason, message }) => `${reason} ${message}`.trim());
  return [...new Set(said)].join("\n");
}

/** The end of a chain of messages is the plugin's own. */
function pluginSaid(message: string): string {
  const line = message.split("\n")[0] ?? "";
  const [, own] = /plugin type="[^"]*" (?:name="[^"]*" )?failed \(add\): (.*)/
    .exec(line) ?? [];
  return (own ?? line.split(": ").slice(-2).join(": ")).trim();
}

/** Why nothing could be executed in a node's pod that runs. */
export function execFault(
  node: string,
  command: string,
  said: string,
  controlPlane: string,
): Cause {
  return {
    kind: "kubelet",
    on: node,
    what: `nothing can be executed in the pods of ${node}: the API server ` +
      "does not get through to its kubelet",
    evidence: [{ where: controlPlane, command, printed: said }],
    remedies: [
      onNode(node, cmd`systemctl restart kubelet`),
      onNode(node, cmd`systemctl status kubelet`),
    ],
  };
}

/** Why a pod cannot resolve a name though the cluster has DNS. */
export function dnsFault(
  node: string,
  command: string,
  said: string,
  controlPlane: string,
): Cause {
  return {
    kind: "dns",
    on: node,
    what: `pod shell on ${node} does not resolve the names of services`,
    evidence: [{ where: `shell on ${node}`, command, printed: said }],
    remedies: [
      ["get", "pods", "-l", "k8s-app=kube-dns"],
      ["logs", "-l", "k8s-app=kube-dns"],
      ["get", "pods", "-l", "k8s-app=kube-proxy", "-o", "wide"],
    ].map((args) =>
      onNode(controlPlane, kubectl("-n", "kube-system", ...args))
    ),
  };
}
