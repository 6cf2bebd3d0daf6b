/** What the tests of cluster files share: small files, and what is said of them when they are changed. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Cluster } from "./cluster.ts";
import { ClusterFileError } from "./yaml.ts";
import { parseCluster } from "./load.ts";

/** The smallest cluster that there is. */
export const small = `name: small
clusterCIDR: 10.244.0.0/16
nodes:
  - name: master
    role: control-plane
    address: 10.0.1.10
  - name: worker-1
    address: 10.0.1.11
`;

/** The same with IPv6 alone. */
export const six = small.replaceAll("10.0.1.", "fd00:10:0:1::")
  .replace("10.244.0.0/16", "fd00:10:244::/56") + `segmentCIDR: fd00:10:0:1::/64
outside: {gateway: "fd00:10:0:1::1", address: "2001:db8::8"}
`;

/** The same with both families. */
export const dual =
  small.replace("10.244.0.0/16", "[10.244.0.0/16, fd00:10:244::/56]")
    .replace(/10\.0\.1\.(\d+)/g, "[10.0.1.$1, 'fd00:10:0:1::$1']") +
  `segmentCIDR: [10.0.1.0/24, "fd00:10:0:1::/64"]
outside:
  gateway: [10.0.1.1, "fd00:10:0:1::1"]
  address: [203.0.113.8, "2001:db8::8"]
`;

/** The cluster of a file's text. */
export function parse(content: string): Cluster {
  return parseCluster(content, "c.yaml", "/state");
}

/** What is said of a cluster file. */
export function mistakes(content: string): readonly string[] {
  return assertThrows(() => parse(content), ClusterFileError).mistakes;
}

/** The small cluster with a part changed, and all that is said of it. */
export function refused(from: string, to: string, ...expected: string[]): void {
  assert(small.includes(from), `no "${from}" in the cluster file`);
  assertEquals(mistakes(small.replace(from, to)), expected);
}

/** The small cluster with more lines before its nodes, which begin at line 3. */
export function refusedWith(lines: string, ...expected: string[]): void {
  refused("nodes:", `${lines}\nnodes:`, ...expected);
}
