/**
 * What the tests of the doctor share: a worker's answers, captured on a lab,
 * and what becomes of them in a trap.
 */
// @ts-types="../std/assert.d.ts"
import { assert } from "@std/assert";
import type { Cluster } from "../cluster/cluster.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Outcome } from "../exec/command.ts";
import { remedyLine } from "../diagnosis/remedy.ts";
import { checks } from "./doctor.ts";
import type { CheckContext, Finding } from "./check.ts";
import type { Host, InventoryNode } from "../inventory/inventory.ts";
import { hostWith } from "../inventory/host_testing.ts";

export interface Scene {
  readonly host?: Host;
  readonly cluster?: Partial<Cluster>;
  readonly others?: readonly InventoryNode[];
}

/** What a check finds on the worker, given these answers. */
export function found(
  name: string,
  answers: readonly Partial<Outcome>[],
  { host = hostWith(), cluster = {}, others = [] }: Scene = {},
): readonly Finding[] {
  const whole = {
    ...labCluster({ name: "lab", stateDir: "/nowhere" }),
    ...cluster,
  };
  const node = whole.nodes.find(({ name }) => name === "worker-1");
  const check = checks.find((check) => check.name === name);
  assert(node !== undefined && check !== undefined, name);
  const context: CheckContext = {
    cluster: whole,
    node,
    host,
    nodes: [{ ...node, host }, ...others],
    asked: { from_s: 1_000_000, until_s: 1_000_001 },
  };
  const asks = check.asks?.(context) ?? [];
  return check.read(
    context,
    asks.slice(0, answers.length).map((command, at) => ({
      where: "worker-1",
      command,
      outcome: { code: 0, stdout: "", stderr: "", ...answers[at] },
    })),
  );
}

export function one(findings: readonly Finding[]): Finding {
  const [first, ...more] = findings;
  assert(first !== undefined && more.length === 0, JSON.stringify(findings));
  return first;
}

/** The lines that mend it. */
export const mendOf = (finding: Finding) =>
  "remedies" in finding
    ? finding.remedies.map((remedy) =>
      remedyLine(remedy, { file: "config/lab.yaml" })
    )
    : [];

export const filter = `-P INPUT ACCEPT
-P FORWARD DROP
-P OUTPUT ACCEPT
-A FORWARD -d 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT
-A FORWARD -s 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT
`;

export const nat = `-P PREROUTING ACCEPT
-P INPUT ACCEPT
-P OUTPUT ACCEPT
-P POSTROUTING ACCEPT
-A POSTROUTING -s 10.244.1.0/24 ! -d 10.244.0.0/16 ! -o cni0 -m comment --comment deno-cni -j MASQUERADE
`;

export const nft = `{"nftables": [{"metainfo": {"version": "1.0.6"}}, ` +
  `{"table": {"family": "inet", "name": "fw", "handle": 3}}, {"chain": ` +
  `{"family": "inet", "table": "fw", "name": "forward", "handle": 1, ` +
  `"type": "filter", "hook": "forward", "prio": 10, "policy": "drop"}}, ` +
  `{"rule": {"family": "inet", "table": "fw", "chain": "forward", ` +
  `"handle": 2, "expr": [{"match": {"op": "==", "left": {"payload": ` +
  `{"protocol": "ip", "field": "saddr"}}, "right": {"prefix": ` +
  `{"addr": "10.244.0.0", "len": 16}}}}, {"accept": null}]}}, {"rule": ` +
  `{"family": "inet", "table": "fw", "chain": "forward", "handle": 3, ` +
  `"expr": [{"match": {"op": "==", "left": {"payload": {"protocol": "tcp", ` +
  `"field": "dport"}}, "right": 81}}, {"reject": {"type": "icmpx", ` +
  `"expr": "port-unreachable"}}]}}]}\n`;

export const room =
  "blocks deno-cni:lab/worker-1 12342040 124 12341916 1% /run\n" +
  "inodes deno-cni:lab/worker-1 3085510 86 3085424 1% /run\n";

/** Of a worker's interfaces, as `grep -H` prints them. */
export const settings = ["all", "default", "eth0", "cni0"].flatMap((device) => [
  `ipv4/conf/${device}/forwarding:1`,
  `ipv4/conf/${device}/arp_ignore:0`,
  `ipv4/conf/${device}/proxy_arp:0`,
  `ipv6/conf/${device}/forwarding:1`,
  `ipv6/conf/${device}/disable_ipv6:0`,
]).join("\n");
