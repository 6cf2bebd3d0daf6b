/** The agent on the nodes of a lab, with an API server of the tests' own. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Agent, startAgent } from "../../lib/agent/agent.ts";
import { cleanMachine } from "../../lib/agent/cleanup.ts";
import {
  type TestApiServer,
  testApiServer,
  testNode,
} from "../../lib/apiserver/api_server_testing.ts";
import { apiClient } from "../../lib/apiserver/client.ts";
import { parseNetworkPart } from "../../lib/cluster/network_part.ts";
import { cmd } from "../../lib/exec/command.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import type { PluginFile } from "../../lib/stage/stage.ts";
import { stages } from "../stages.ts";
import { type TestLab } from "./lab_testing.ts";
import { done, nodeStages, provisioned, stateOf } from "./stages_testing.ts";

const part = parseNetworkPart(
  "provider: lab\nclusterCIDR: 10.244.0.0/16\nroutes: auto\n",
  "cluster.yaml",
);
const applied = stages.filter(({ name }) => nodeStages.includes(name));
const master = testNode("master", "10.0.1.10", "10.244.0.0/24");
const worker1 = testNode("worker-1", "10.0.1.11", "10.244.1.0/24");
const worker2 = testNode("worker-2", "10.0.1.12", "10.244.2.0/24");

/** An agent of worker-1, with what it logged. */
interface Running extends AsyncDisposable {
  readonly agent: Agent;
  readonly log: readonly string[];
  /** Waits until this can be seen on the node. */
  until(seen: () => Promise<boolean> | boolean, what: string): Promise<void>;
}

async function builtPlugin(): Promise<readonly PluginFile[]> {
  const build = applied.find(({ build }) => build !== undefined)?.build;
  assert(build !== undefined);
  return (await build.make("portable")).files;
}

function running(
  lab: TestLab,
  api: TestApiServer,
  pluginFiles: readonly PluginFile[],
): Running {
  const limits = { answer_ms: 1000, silence_ms: 60_000 };
  const client = apiClient({ server: api.url }, limits);
  const log: string[] = [];
  const agent = startAgent({
    node: lab.node("worker-1"),
    part,
    client,
    limits,
    stages: applied,
    pluginFiles,
    loopback: "/bin/true",
    version: "test",
    log: (line) => log.push(line),
  });
  return {
    agent,
    log,
    async until(seen, what) {
      const end_ms = Date.now() + 60_000;
      while (!await seen()) {
        if (Date.now() > end_ms) {
          throw new Error(`not seen: ${what}\n${log.join("\n")}`);
        }
        await new Promise((go) => setTimeout(go, 100));
      }
    },
    async [Symbol.asyncDispose]() {
      await agent.stop();
      client[Symbol.dispose]();
    },
  };
}

/** Follows a node's life, on one lab, since each part needs what the one before it left. */
rooted(
  "the agent makes a node's network of Kubernetes' nodes, repairs it with and without the API server, and is taken back",
  async () => {
    await using lab = await provisioned("t-agent");
    const files = await builtPlugin();
    const before = await stateOf(lab, "worker-1");
    await using api = testApiServer();
    for (const node of [master, worker1]) api.put(node);
    const routes = () => lab.on("worker-1", cmd`ip route show proto 244`);
    const rules = () => lab.on("worker-1", cmd`iptables -S FORWARD`);
    const links = () => lab.on("worker-1", cmd`ip -br addr`);
    {
      await using one = running(lab, api, files);
      const { agent, until } = one;
      await until(
        () => agent.status().lastRun?.outcome === "clean",
        "a clean run",
      );
      assertStringIncludes(await routes(), "10.244.0.0/24 via 10.0.1.10");

      api.put(worker2);
      const hasRoute = async () => /10.244.2.0.24 via/.test(await routes());
      await until(hasRoute, "a route to the node that joined");
      await lab.on("worker-1", cmd`ip route del 10.244.2.0/24`);
      await until(hasRoute, "the route that was deleted");
      await lab.on("worker-1", cmd`iptables -F FORWARD`);
      const hasRules = async () =>
        /-d 10.244.0.0.16 .*deno-cni/.test(await rules());
      await until(hasRules, "the rules that were flushed");
      await lab.on("worker-1", cmd`ip link del cni0`);
      await until(
        async () => /^cni0 .* 10.244.1.1.24/m.test(await links()),
        "the bridge that was deleted",
      );
      // No monitor tells of a file.
      const list = "/etc/cni/net.d/10-deno-cni.conflist";
      await lab.on("worker-1", cmd`rm ${list}`);
      await lab.on("worker-1", cmd`rm -r /opt/cni/bin`);
      const names = () => lab.on("worker-1", cmd`find /etc/cni/net.d /opt/cni`);
      await until(
        async () =>
          /\.conflist$/m.test(await names()) &&
          /bin.deno-cni$/m.test(await names()) &&
          /bin.loopback$/m.test(await names()),
        "the files that were removed",
      );
      await until(
        () => agent.status().lastRun?.outcome === "clean",
        "a clean run",
      );
      assert(agent.status().repaired >= 4, JSON.stringify(agent.status()));

      api.remove("worker-2");
      await until(
        async () => !await hasRoute(),
        "no route to a node that left",
      );
      api.behave("silent");
      api.cut();
      await until(() => !agent.status().api.isReachable, "no API server");
      await lab.on("worker-1", cmd`iptables -F FORWARD`);
      await until(hasRules, "the rules, without an API server");
    }
    // An agent that starts without an API server goes by the nodes that it knew.
    await lab.on("worker-1", cmd`ip route flush proto 244`);
    {
      await using two = running(lab, api, files);
      await two.until(
        async () => (await routes()).includes("10.244.0.0/24 via 10.0.1.10"),
        "the routes to the nodes that were known last",
      );
      const mode = cmd`stat -c %a /var/lib/deno-cni/nodes.json`;
      assertEquals(await lab.on("worker-1", mode), "600\n");
    }
    // The scripts go on where the agent was: the same marks, the same journal.
    for (const stage of ["04-bridge", "06-forwarding", "07-masquerade"]) {
      const report = await lab.report(stage, "--node", "worker-1");
      const { changed, failed } = report.recap["worker-1"]!;
      assertEquals([stage, changed, failed], [stage, 0, 0]);
    }
    const results = await cleanMachine(
      lab.node("worker-1"),
      applied.map(({ name }) => name),
    );
    assertEquals(results.filter(({ status }) => status === "failed"), []);
    // What every network needs stays.
    await lab.on("worker-1", cmd`rm /opt/cni/bin/loopback`);
    assertEquals(await stateOf(lab, "worker-1"), before);

    // What is not ours is refused, and Kubernetes is told.
    await lab.on("worker-1", cmd`ip link add cni0 type bridge`);
    api.behave("well");
    await using three = running(lab, api, files);
    const event = () =>
      api.got.find(({ path, body }) =>
        path === "/api/v1/namespaces/default/events" &&
        body.includes("cni0 is a bridge that this tool did not make")
      );
    await three.until(() => event() !== undefined, "an Event");
    const { reason, involvedObject } = JSON.parse(event()!.body);
    assertEquals([reason, involvedObject.name], ["Refused", "worker-1"]);
    assertStringIncludes(
      three.agent.status().problems.join("\n"),
      "cni0 is a bridge that this tool did not make",
    );
    const list = await lab.on(
      "worker-1",
      cmd`find /etc/cni -name ${"*.conflist"}`,
    );
    assertEquals(list, "", "a node that cannot run pods is not called ready");
    done(await lab.script("status"));
  },
);
