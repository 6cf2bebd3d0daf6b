/**
 * What scripts/bench/agent.ts has measured: a process with all that an agent
 * loads, which follows the Nodes of the API server that it is given and plans stage 08
 * for one of them. Says its figures (JSON) on stdout, and ends when its stdin does.
 */
import { clusterOfNodes } from "../../lib/agent/cluster_of_nodes.ts";
import { type NodeRecord, readNode } from "../../lib/agent/node_record.ts";
import { startAgent } from "../../lib/agent/agent.ts";
import { apiClient } from "../../lib/apiserver/client.ts";
import { followObjects } from "../../lib/apiserver/follow.ts";
import { parseNetworkPart } from "../../lib/cluster/network_part.ts";
import { stepsFor } from "../../lib/stage/run_stage.ts";
import { stages } from "../stages.ts";

const [url = "", name = "", wanted = "", more = ""] = Deno.args;
const part = parseNetworkPart("clusterCIDR: 10.0.0.0/8", "cluster.yaml");
const routes = stages.find(({ name }) => name === "08-routes");
if (routes === undefined || startAgent === undefined) throw new TypeError();

/** Steps of stage 08 on this node. */
function plan(nodes: ReadonlyMap<string, NodeRecord>): number {
  const planned = clusterOfNodes(part, nodes.values(), name, []);
  return "cluster" in planned
    ? stepsFor(routes!, planned.cluster, name, []).length
    : 0;
}

function pss_MB(): number {
  const text = Deno.readTextFileSync("/proc/self/smaps_rollup");
  return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]) / 1024;
}

const client = apiClient({ server: url });
const ending = new AbortController();
let nodes = new Map<string, NodeRecord>();
let changed_ms = performance.now();
const followed = followObjects<NodeRecord>(client, {
  all: (items) => void (nodes = new Map(items)),
  changed(name, record) {
    nodes.set(name, record);
    changed_ms = performance.now();
  },
  removed: (name) => void nodes.delete(name),
  reached: () => {},
}, { path: "/api/v1/nodes", pick: readNode, signal: ending.signal });

/** Waits until so many Nodes are known. */
async function known(count: number): Promise<void> {
  while (nodes.size < count) await new Promise((go) => setTimeout(go, 1));
}

const began_ms = performance.now();
await known(Number(wanted));
const steps = plan(nodes);
const plan_ms = performance.now() - began_ms;
const atList = client.requests();
console.log(JSON.stringify({ steps, plan_ms, requests: atList }));
await known(Number(more));
const late_ms = performance.now() - changed_ms;
plan(nodes);
// What the list left behind goes when V8 finds the time.
await new Promise((go) => setTimeout(go, 2000));
console.log(
  JSON.stringify({
    late_ms,
    pss_MB: pss_MB(),
    requests: client.requests() - atList,
  }),
);
ending.abort();
await followed;
Deno.exit(0);
