/**
 * What an edited cluster file does not move: a node keeps the podCIDRs that it was
 * given when it was made, and all that was made by them. Pure.
 */
import { familyOf, parseCidr } from "../net/cidr.ts";
import { type Cluster, podCIDRsPath } from "./cluster.ts";
import { makeLine } from "./make_line.ts";

/** What keeps old podCIDRs, and the line that makes all of it anew; a sentence. */
export function moveWords(
  cluster: Pick<Cluster, "name" | "stateDir" | "file" | "provider">,
): string {
  const isLab = cluster.provider === "lab";
  const hold = isLab
    ? "bridges, leases, routes and the nodes' journals"
    : "Nodes of Kubernetes, bridges, leases, routes and the nodes' journals";
  const away = makeLine(isLab ? "down" : "up ARGS=--undo", cluster);
  return `${hold} keep the podCIDRs that the nodes were given ` +
    `(${podCIDRsPath(cluster)}); to move them: ${away} && ${
      makeLine("up", cluster)
    }`;
}

/**
 * What an edit of nodeMask leaves as it was; undefined where it left nothing.
 *
 * @param inFile the cluster as its file alone has it
 * @param found the same with what stage 02 found out
 */
export function keptWords(inFile: Cluster, found: Cluster): string | undefined {
  const kept = found.nodes.flatMap(({ name, podCIDRs }) => {
    const own = inFile.nodes.find((node) => node.name === name);
    // A podCIDR that is in the file may have any mask.
    return own === undefined || own.podCIDRs.length > 0 ? [] : podCIDRs;
  });
  for (const [at, text] of inFile.clusterCIDRs.entries()) {
    const family = familyOf(text);
    const mask = inFile.nodeMasks[at];
    // A cluster that was there before may have another than the usual one.
    if (inFile.provider !== "lab" && mask === usualMask[family]) continue;
    const others = kept.map(parseCidr).filter((cidr) =>
      cidr.family === family && cidr.prefixLength !== mask
    );
    const [first] = others;
    if (first === undefined) continue;
    return `nodeMask is ${mask} in ${inFile.file}, and the nodes have podCIDRs ` +
      `of /${first.prefixLength}: ${moveWords(inFile)}`;
  }
  return undefined;
}

/** What kube-controller-manager gives each node unless it is told otherwise. */
export const usualMask = { 4: 24, 6: 64 } as const;
