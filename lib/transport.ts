/** Which transport reaches a node. */
import type { Cluster } from "./cluster.ts";
import { labNode } from "./lab.ts";
import { localNode, type Node } from "./node.ts";
import { sshNode, sshTarget } from "./ssh.ts";

/** The operator's own machine: what runs there is written down in the cluster's state folder. */
export function operatorNode(cluster: Cluster): Node {
  return localNode("operator", `${cluster.stateDir}/journal`);
}

/** The node of this name, by the cluster's transport. Nothing is sent yet. */
export function nodeOf(cluster: Cluster, name: string): Node {
  switch (cluster.provider) {
    case "lab":
      return labNode(cluster, name);
    case "local":
      return localNode(name);
    case "ssh": {
      const node = cluster.nodes.find((node) => node.name === name);
      if (node === undefined) throw new TypeError(`no node ${name}`);
      return sshNode(sshTarget(cluster, node), cluster);
    }
  }
}
