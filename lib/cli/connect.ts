/** Which transport reaches a node. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import { labNode, outsideNode } from "../lab/node.ts";
import { pinnedKeys } from "../cluster/found_machines.ts";
import {
  localNode,
  type Node,
  type Reach,
  UnreachableError,
} from "../node/node.ts";
import { sshNode, sshTarget } from "../ssh/node.ts";

/** How the machines of a cluster are reached. */
export function reachOf(cluster: Cluster): Reach {
  const operator = localNode("operator", `${cluster.stateDir}/journal`);
  return {
    // No node can have that name.
    nodeOf: (name) => name === operator.name ? operator : nodeOf(cluster, name),
    operator,
    outside: cluster.provider === "lab" ? outsideNode(cluster) : undefined,
  };
}

/** The node of this name, by the cluster's transport. Nothing is sent yet. */
export function nodeOf(cluster: Cluster, name: string): Node {
  switch (cluster.provider) {
    case "lab":
      return labNode(cluster, name);
    case "local":
      return localNode(name);
    case "ssh":
      return sshNode(sshTarget(cluster, find(cluster, name)), cluster);
    case "aws":
    case "gcp": {
      const node = find(cluster, name);
      if (node.machine?.publicAddress === undefined) {
        return unmade(name, cluster);
      }
      const target = sshTarget(cluster, node);
      return sshNode({ ...target, pinnedKeys: pinnedKeys(cluster) }, cluster);
    }
  }
}

function find({ nodes }: Cluster, name: string): ClusterNode {
  const node = nodes.find((node) => node.name === name);
  if (node === undefined) throw new TypeError(`no node ${name}`);
  return node;
}

/** A node whose machine 01 has not made yet, or has found stopped. */
function unmade(name: string, cluster: Cluster): Node {
  const local = localNode(name);
  const refuse = () =>
    Promise.reject(
      new UnreachableError(
        name,
        "no running machine is known for it: " +
          makeLine("01-provision", cluster),
      ),
    );
  return { ...local, run: refuse, copy: refuse };
}
