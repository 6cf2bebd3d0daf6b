/** The doctor's check of ports of the node that pods ask for. Pure. */
import { askPath } from "../exec/shell_file.ts";
import { cmd, type Command } from "../exec/command.ts";
import { portmapPath, portmapTable } from "../cni/conflist.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { kubectl } from "../kubernetes/kubectl.ts";
import { controlPlaneOf, usesKubeadm } from "../kubernetes/kubeconfig.ts";
import { kubeletConf } from "../kubernetes/reset.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  shownBy,
  unclear,
} from "./check.ts";
import { fromKubectl } from "./kubectl_answer.ts";

/** A line a pod of the node that runs: NAMESPACE/NAME, hostNetwork, addresses, hostPorts. */
const podsScript =
  `exec kubectl --kubeconfig "$1" --request-timeout=10s get pods -A \\
  --field-selector "spec.nodeName=$2,status.phase=Running" -o "jsonpath=$3"`;

const form = "{range .items[*]}{.metadata.namespace}/{.metadata.name}|" +
  "{.spec.hostNetwork}|{.status.podIPs[*].ip}|" +
  '{.spec.containers[*].ports[*].hostPort}{"\\n"}{end}';

/** The rules by which ports of the node are pods', of whatever program: portmap, CRI-O. */
const rulesScript = `for tool in iptables ip6tables; do
  "$tool-save" -t nat; done 2>/dev/null | grep -v KUBE-NODEPORTS | grep -e dport -e DNAT
nft list table inet ${portmapTable} 2>/dev/null
:`;

const rules: Command = {
  ...cmd`sh -c ${rulesScript} rules`,
  label: "iptables-save -t nat",
};

const portScript =
  `{ iptables-save -t nat; nft list table inet ${portmapTable}; } ` +
  '2>/dev/null | grep -we "$1"';

interface Wanting {
  readonly pod: string;
  readonly addresses: readonly string[];
  readonly ports: readonly string[];
}

export const hostPorts: Check = {
  name: "host-ports",
  well: "the ports of the node that pods ask for (hostPort) lead to them",
  asks: ({ cluster, node: { name } }) =>
    usesKubeadm(cluster)
      ? [{
        ...askPath(kubeletConf, podsScript, name, form),
        label: `kubectl get pods -A, those of ${name}`,
      }, rules]
      : [],
  read(context, [asked, seen]) {
    if (!usesKubeadm(context.cluster)) {
      return [{ is: "does not apply", what: "no kubelet is here" }];
    }
    const what = "which pods ask for a hostPort";
    if (seen === undefined) return [unclear(what, asked)];
    return fromKubectl(
      what,
      asked,
      (printed) =>
        wantingPods(printed).flatMap((wanting) =>
          misled(context, wanting, seen.outcome.stdout)
        ),
    );
  },
};

/** What is wrong with the rules for a pod's ports. */
function misled(
  context: CheckContext,
  wanting: Wanting,
  printedRules: string,
): readonly Finding[] {
  const unled = wanting.ports.filter((port) =>
    !mapped(printedRules, port, wanting.addresses)
  );
  return [
    ...staleRules(context, printedRules, wanting.ports)
      .map((rule) => shadowed(context, wanting, rule)),
    ...unled.length === 0
      ? []
      : [unmapped(context, { ...wanting, ports: unled })],
  ];
}

function wantingPods(printed: string): readonly Wanting[] {
  return printed.split("\n").flatMap((line): readonly Wanting[] => {
    const [pod = "", ownsNode = "", held = "", ports = ""] = line.split("|");
    const numbers = ports.split(" ").filter((port) => /^[1-9]\d*$/.test(port));
    const addresses = held.split(" ").filter((one) =>
      /^[0-9a-f.:]+$/.test(one)
    );
    return ownsNode === "true" || numbers.length === 0
      ? []
      : [{ pod, addresses, ports: [...new Set(numbers)] }];
  });
}

/** Whether a rule is of the port, and one leads to an address: they need not be the same one. */
function mapped(
  printed: string,
  port: string,
  addresses: readonly string[],
): boolean {
  const leads = destinations(printed);
  return new RegExp(`dports? [^\\n]*\\b${port}\\b`).test(printed) &&
    leads.some(({ address }) => addresses.includes(address));
}

interface Destination {
  readonly tool: "iptables" | "ip6tables";
  readonly chain: string;
  readonly rule: string;
  readonly address: string;
}

/** Where the rules lead. */
function destinations(printed: string): readonly Destination[] {
  return printed.split("\n").flatMap((rule): readonly Destination[] => {
    const [, six, four] =
      /(?:--to-destination|dnat(?: ip6?)? to) (?:\[([0-9a-f:]+)\]|([0-9.]+))/
        .exec(rule) ?? [];
    const address = six ?? four;
    if (address === undefined) return [];
    const [, chain = ""] = /^-A (CNI-DN-[0-9a-f]+) /.exec(rule) ?? [];
    const tool = six === undefined ? "iptables" : "ip6tables";
    return [{ tool, chain, rule, address }];
  });
}

/** Rules of portmap's by which a port leads to what no pod has: their DEL never came. */
function staleRules(
  { host: { pods } }: CheckContext,
  printed: string,
  ports: readonly string[],
): readonly Destination[] {
  const held = pods.flatMap(({ addresses }) =>
    addresses.map(({ address }) => address)
  );
  return destinations(printed).filter(({ chain, rule, address }) =>
    chain !== "" && !held.includes(address) &&
    ports.some((port) => rule.includes(`--dport ${port} `))
  );
}

/** The first rule of a port decides, and an older one comes first. */
function shadowed(
  context: CheckContext,
  { pod }: Wanting,
  { tool, chain, rule, address }: Destination,
): Finding {
  const [, port = ""] = /--dport (\d+) /.exec(rule) ?? [];
  return {
    is: "fault",
    what: `an older rule takes the node's port ${port}, for which the pod ` +
      `${pod} asks (hostPort), to ${address}, which no pod has`,
    evidence: [shownBy(context, cmd`sh -c ${portScript} port ${port}`)],
    remedies: [
      onNode(context.node.name, cmd`${tool} -w -t nat -F ${chain}`),
    ],
  };
}

function unmapped(
  context: CheckContext,
  { pod, ports }: Wanting,
): Finding {
  const { cluster, host: { list }, node } = context;
  const isChained = /"type"\s*:\s*"portmap"/.test(list?.text ?? "");
  const [space = "", name = ""] = pod.split("/");
  const anew = onNode(
    controlPlaneOf(cluster).name,
    kubectl("-n", space, "delete", "pod", name),
  );
  const chain: readonly Remedy[] = isChained ? [] : [
    ...(cluster.plugin.portmap === false
      ? [{ say: `take plugin.portmap: false out of ${cluster.file}` }]
      : [onNode(
        node.name,
        cmd`apt-get install -y containernetworking-plugins`,
      )]),
    makeStage("03-cni-config", node.name),
  ];
  const which = ports.length === 1
    ? `the port ${ports[0]}`
    : `the ports ${ports.join(", ")}`;
  return {
    is: "fault",
    what: `the pod ${pod} asks for ${which} of the node (hostPort), and no ` +
      "rule leads there: " +
      (isChained
        ? "it is older than portmap in the network configuration, or its rules were taken away"
        : `the network configuration has no portmap, which maps it ` +
          `(${portmapPath})`),
    evidence: [
      shownBy(context, cmd`sh -c ${portScript} port ${ports[0] ?? ""}`),
    ],
    remedies: [...chain, anew],
  };
}
