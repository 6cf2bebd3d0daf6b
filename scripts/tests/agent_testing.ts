/** Agents on the nodes of a lab of two segments: what their tests share. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert } from "@std/assert";
import { type Agent, startAgent } from "../../lib/agent/agent.ts";
import {
  type TestApiServer,
  type TestNode,
  testNode,
} from "../../lib/apiserver/api_server_testing.ts";
import { apiClient } from "../../lib/apiserver/client.ts";
import { parseNetworkPart } from "../../lib/cluster/network_part.ts";
import { cmd } from "../../lib/exec/command.ts";
import type { PluginFile } from "../../lib/stage/stage.ts";
import { stages } from "../stages.ts";
import type { TestLab } from "./lab_testing.ts";
import { nodeStages } from "./stages_testing.ts";

export const applied = stages.filter(({ name }) => nodeStages.includes(name));

/** A Node of both families, on a segment, with the podCIDRs of that number. */
export function dual(
  name: string,
  host: number,
  segment: number,
  pods?: number,
) {
  const podCIDRs = pods === undefined
    ? []
    : [`10.244.${pods}.0/24`, `fd00:10:244:${pods}::/64`];
  const node = testNode(name, `10.0.${segment}.${host}`, ...podCIDRs);
  const six = `fd00:10:0:${segment}::${host}`;
  const addresses = [
    ...node.status.addresses,
    { type: "InternalIP", address: six },
  ];
  return { ...node, status: { addresses } } satisfies TestNode;
}

export const master = dual("master", 10, 1, 0);
export const worker1 = dual("worker-1", 11, 1, 1);
export const worker2 = dual("worker-2", 12, 2, 2);

function networkOf(more: string) {
  const cidrs = '[10.244.0.0/16, "fd00:10:244::/56"]';
  return parseNetworkPart(
    `provider: lab\nclusterCIDR: ${cidrs}\n${more}\n`,
    "cluster.yaml",
  );
}

/** What each agent needs. */
export interface Around {
  readonly lab: TestLab;
  readonly api: TestApiServer;
  readonly pluginFiles: readonly PluginFile[];
}

/** An agent of a node, with what it logged. */
export interface Running extends AsyncDisposable {
  readonly agent: Agent;
  /** Waits until this can be seen on the node. */
  until(seen: () => Promise<boolean> | boolean, what: string): Promise<void>;
  /** Waits until a shell says yes there. */
  untilThere(script: string): Promise<void>;
  /** Waits until a run found nothing to do. */
  untilClean(): Promise<void>;
}

export async function around(
  lab: TestLab,
  api: TestApiServer,
): Promise<Around> {
  const build = applied.find(({ build }) => build !== undefined)?.build;
  assert(build !== undefined);
  return { lab, api, pluginFiles: (await build.make("portable")).files };
}

export function running(
  { lab, api, pluginFiles }: Around,
  name: string,
  network = "routes: auto",
): Running {
  const limits = { answer_ms: 1000, silence_ms: 60_000 };
  const client = apiClient({ server: api.url }, limits);
  const log: string[] = [];
  const agent = startAgent({
    node: lab.node(name),
    part: networkOf(network),
    client,
    limits,
    stages: applied,
    pluginFiles,
    loopback: "/bin/true",
    version: "test",
    log: (line) => log.push(line),
  });
  const until: Running["until"] = async (seen, what) => {
    const end_ms = performance.now() + 60_000;
    while (!await seen()) {
      if (performance.now() > end_ms) {
        throw new Error(`${name}: not seen: ${what}\n${log.join("\n")}`);
      }
      await new Promise((go) => setTimeout(go, 100));
    }
  };
  return {
    agent,
    until,
    untilThere: (script) =>
      until(async () => {
        const outcome = await lab.node(name).run(cmd`sh -c ${script}`);
        return outcome.code === 0;
      }, script),
    untilClean: () =>
      until(() => agent.status().lastRun?.outcome === "clean", "a clean run"),
    async [Symbol.asyncDispose]() {
      await agent.stop();
      client[Symbol.dispose]();
    },
  };
}

/** A shell's condition: worker-1 has routes of both families through the tunnel to worker-2. */
export const hasTunnel =
  `ip route show 10.244.2.0/24 | grep -q 'dev deno.vxlan' && ` +
  "ip -6 route show fd00:10:244:2::/64 | grep -q 'dev deno.vxlan'";
