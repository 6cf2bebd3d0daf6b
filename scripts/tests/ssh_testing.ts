/** The machines of a lab as a cluster that ssh reaches: for tests and the bench. */
import type { Cluster } from "../../lib/cluster/cluster.ts";

/**
 * A cluster file with provider: ssh for a lab's nodes. They have no kubeadm, so
 * it has the podCIDRs that stage 02 splits in the lab.
 */
export function sshFile(name: string, { nodes }: Cluster): string {
  return [
    `name: ${name}`,
    "provider: ssh",
    "clusterCIDR: 10.244.0.0/16",
    "ssh: { user: root }",
    "nodes:",
    ...nodes.map(({ name, role, address }, at) =>
      `  - { name: ${name}, role: ${role}, podCIDRs: 10.244.${at}.0/24, address: ${address} }`
    ),
    "",
  ].join("\n");
}
