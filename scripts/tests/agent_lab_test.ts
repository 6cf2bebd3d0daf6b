/** The agent on the nodes of a lab, with an API server of the tests' own. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Agent, startAgent } from "../../lib/agent/agent.ts";
import { cleanMachine } from "../../lib/agent/cleanup.ts";
import { agentsOf } from "../../lib/agent/lab_agents.ts";
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
  "the agent makes a node's network of Kubernetes' nodes, repairs it with and without the API server, is taken back, " +
    "and is handed what the stages made without a packet lost",
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
    const { results, left } = await cleanMachine(
      lab.node("worker-1"),
      applied.map(({ name }) => name),
    );
    assertEquals(results.filter(({ status }) => status === "failed"), []);
    assertEquals(left, []);
    assertEquals(await stateOf(lab, "worker-1"), before);

    // What is not ours is refused, and Kubernetes is told.
    await lab.on("worker-1", cmd`ip link add cni0 type bridge`);
    api.behave("well");
    const three = running(lab, api, files);
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
    await three[Symbol.asyncDispose]();
    await lab.on("worker-1", cmd`ip link del cni0`);
    await handedOver(lab);
  },
);

/** What a lab's agents say when it is handed over, and whether that went well. */
async function install(lab: TestLab): Promise<{ code?: number; text: string }> {
  const { code, stdout, stderr } = await lab.script("agent", "--install");
  return { code: code ?? -1, text: stdout + stderr };
}

/** What the stages made is the agents', with all that can get in the way, and the stages' again. */
async function handedOver(lab: TestLab): Promise<void> {
  done(await lab.script("up", "-q"));
  const address = await lab.on(
    "worker-2",
    cmd`ip -n web -4 -o addr show dev eth0`,
  );
  const [, web = ""] = /inet ([\d.]+)/.exec(address) ?? [];
  const ping = `ip netns exec shell ping -i 0.05 -w 300 ${web}`;
  const pinging = lab.node("worker-1").run(
    cmd`sh -c ${`${ping} & echo $! >/run/ping.pid; wait $!`}`,
    { timeout_ms: 310_000 },
  );

  // One node has something of others: the agents tell of it, and go on trying.
  const foreign = "ip link del cni0; ip link add cni0 type bridge; " +
    "ip link set cni0 alias others";
  await lab.on("master", cmd`sh -euc ${foreign}`);
  const refused = await install(lab);
  assertEquals(refused.code, 1, refused.text);
  assertStringIncludes(
    refused.text,
    "cni0 is a bridge that this tool did not make",
  );
  assertStringIncludes(
    refused.text,
    "worker-2: kept by its agent, which found all that the stages make",
  );
  const stage = await lab.script("04-bridge");
  assertEquals(stage.code, 1, stage.stdout);
  assertStringIncludes(stage.stderr, "is handed over");
  assertStringIncludes(stage.stderr, "ARGS=--take-back");

  // Half handed over, and again: also with the agents dead.
  await lab.on("master", cmd`ip link del cni0`);
  const pid = agentsOf(lab.cluster)?.pid;
  assert(pid !== undefined, refused.text);
  Deno.kill(pid, "SIGKILL");
  const again = await install(lab);
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "master: kept by its agent, which had to");
  for (const name of ["worker-1", "worker-2"]) {
    assertStringIncludes(
      again.text,
      `${name}: kept by its agent, which found all that the stages make`,
    );
  }
  assertEquals((await install(lab)).code, 0);
  await lab.on("worker-2", cmd`ip route del 10.244.0.0/24`);
  const there = "until ip route | grep -q ^10.244.0.0/24; do sleep 0.1; done";
  await lab.on("worker-2", cmd`timeout 60 sh -c ${there}`);

  done(await lab.script("agent", "--take-back"));
  done(await lab.script("agent", "--take-back"));
  assertEquals(agentsOf(lab.cluster), undefined);
  const { recap } = await lab.report("up");
  for (const [name, { changed, failed }] of Object.entries(recap)) {
    assertEquals([name, changed, failed], [name, 0, 0]);
  }
  const own = "ls /run/deno-cni /var/lib/deno-cni";
  assertEquals(
    (await lab.on("worker-1", cmd`sh -c ${own}`)).match(/^\w.*\.json$/gm),
    null,
  );
  await lab.on("worker-1", cmd`sh -c ${'kill -INT "$(cat /run/ping.pid)"'}`);
  const { stdout } = await pinging;
  const [, sent, received] =
    /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  assert(Number(sent) > 20, stdout);
  assertEquals(received, sent, stdout);
  // Without a journal, what bears the mark goes, and what is left is said.
  await lab.on("worker-2", cmd`rm /var/lib/deno-cni/journal`);
  const cleaned = await lab.script("agent", "--cleanup");
  done(cleaned);
  for (
    const said of [
      "removed the link cni0",
      "removed the route to 10.244.0.0/24",
      "removed /opt/cni/bin/deno-cni",
      "removed /run/deno-cni/networks/deno-cni",
      "left net.ipv4.ip_forward = 1",
      "nothing of deno-cni is left",
    ]
  ) assertStringIncludes(cleaned.stdout, `worker-2: ${said}`);
  const marked =
    "ip -br link show type bridge; ip route show proto 244; iptables-save; ls -R /etc/cni /opt/cni";
  const left = await lab.on("worker-2", cmd`sh -c ${marked}`);
  assertEquals(/deno-cni|proto 244/.exec(left), null, left);
}
