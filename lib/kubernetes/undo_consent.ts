/**
 * What a person has to agree to before a cluster is reset, or its pod network is
 * taken away: pods of others that run there.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Outcome, type RunOptions } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { adminConf, controlPlaneOf, usesKubeadm } from "./kubeconfig.ts";
import { namespace } from "./kubectl.ts";
import { iptablesFor } from "../net/iptables.ts";
import { nftTable } from "../net/nft_table.ts";
import { mark } from "../net/mark.ts";
import { type Node, UnreachableError } from "../node/node.ts";
import { statePath } from "./reset.ts";
import type { Stage } from "../stage/stage.ts";

const program = shellProgram("others_pods.sh", import.meta.url);

/** How many pods are named one by one. */
const most = 10;

/** Before stage 02 resets what it made; a cluster that was there before it leaves alone. */
export const beforeReset: NonNullable<Stage["beforeUndo"]> = async (
  cluster,
  undone,
  nodeOf,
  options,
) => {
  const found = await podsOfOthers(cluster, undone, nodeOf, options);
  if (found === undefined || !found.ours) return undefined;
  return {
    what: `reset Kubernetes on ${
      undone.join(", ")
    }, and with it ${found.which}`,
    preview: found.list,
    commands: ["kubeadm reset -f"],
  };
};

/**
 * Before a stage takes from pods that run what it gave them, a part of their
 * network: they go on running, and are cut off until the stage runs again.
 *
 * @param effect what becomes of the pods, in a clause
 * @param commands what takes it back
 */
function networkGoes(
  effect: string,
  commands: (cluster: Cluster) => readonly string[],
): NonNullable<Stage["beforeUndo"]> {
  return async (cluster, undone, nodeOf, options) => {
    const found = await podsOfOthers(cluster, undone, nodeOf, options);
    if (found === undefined) return undefined;
    return {
      what: `take the network away from ${found.which}: ${effect}`,
      preview: found.list,
      commands: commands(cluster),
    };
  };
}

/** Before stages 03 and 05 take the plugin away. */
export const beforePluginGoes = networkGoes(
  "without the plugin they can neither end nor start (kubectl drain their " +
    "nodes first)",
  () => [
    `rm -f /etc/cni/net.d/10-${mark}.conflist`,
    `rm -f /opt/cni/bin/${mark}`,
  ],
);

/** Before stage 04 takes the bridge away. */
export const beforeBridgeGoes = networkGoes(
  "without the bridge they reach nothing, until stage 04 plugs them in again",
  ({ bridge }) => [`ip link del ${bridge}`],
);

/** Before stage 06 takes the rules away by which nodes forward. */
export const beforeForwardingGoes = networkGoes(
  "where the nodes do not forward, they reach no other node and no service",
  ({ clusterCIDRs, firewall }) =>
    firewall === "nftables"
      ? [`nft delete chain ${nftTable.join(" ")} forward`]
      : clusterCIDRs.map((cidr) =>
        `${iptablesFor(cidr)} -D FORWARD -s ${cidr} -j ACCEPT`
      ),
);

/** Before stage 07 takes the rules away by which pods get out. */
export const beforeMasqueradeGoes = networkGoes(
  "they reach nothing outside the cluster",
  ({ clusterCIDRs, firewall }) =>
    firewall === "nftables"
      ? [`nft delete chain ${nftTable.join(" ")} postrouting`]
      : clusterCIDRs.map((cidr) =>
        `${iptablesFor(cidr)} -t nat -D POSTROUTING … -j MASQUERADE`
      ),
);

/** Before stage 08 takes the routes away. */
export const beforeRoutesGo = networkGoes(
  "they do not reach those of other nodes",
  ({ clusterCIDRs }) =>
    clusterCIDRs.map((cidr) => `ip route flush … (${cidr})`),
);

interface Found {
  /** Whether stage 02 made the cluster. */
  readonly ours: boolean;
  readonly which: string;
  readonly list: string;
}

/** The pods of others on these nodes; undefined where there are none, or no cluster to ask. */
async function podsOfOthers(
  cluster: Cluster,
  undone: readonly string[],
  nodeOf: (name: string) => Node,
  options: RunOptions,
): Promise<Found | undefined> {
  if (!usesKubeadm(cluster)) return undefined;
  const { name } = controlPlaneOf(cluster);
  try {
    const ask =
      cmd`sh -c ${program} pods ${adminConf} ${statePath} ${namespace}`;
    const outcome = await nodeOf(name).run(ask, options);
    return readPods(outcome, undone.includes(name) ? undefined : undone);
  } catch (error) {
    // Machines that do not answer are what an undo may be for.
    if (error instanceof UnreachableError) return undefined;
    throw error;
  }
}

/**
 * Reads what others_pods.sh printed.
 *
 * @param nodes those that count; without them, all
 */
function readPods(
  { code, stdout, stderr }: Outcome,
  nodes: readonly string[] | undefined,
): Found | undefined {
  const [owner, ...lines] = stdout.trim().split("\n");
  const ours = owner === "ours";
  if (code === 45) {
    const list = `Which pods there are cannot be told: ${stderr.trim()}`;
    return { ours, which: "pods that cannot be asked for", list };
  }
  const pods = lines.filter((line) =>
    nodes === undefined || nodes.includes(line.split(" ").at(-1) ?? "")
  );
  if (code !== 0 || pods.length === 0) return undefined;
  const rest = pods.length - most;
  return {
    ours,
    which: pods.length === 1
      ? "a pod of others"
      : `${pods.length} pods of others`,
    list: [
      ...pods.slice(0, most),
      ...(rest > 0 ? [`and ${rest} more`] : []),
    ].join("\n"),
  };
}
