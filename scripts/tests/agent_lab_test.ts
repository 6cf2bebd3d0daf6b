/** Agents on the nodes of a lab of two segments, with an API server of the tests' own. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Agent, startAgent } from "../../lib/agent/agent.ts";
import { cleanMachine } from "../../lib/agent/cleanup.ts";
import { agentsOf } from "../../lib/agent/lab_agents.ts";
import {
  type TestApiServer,
  testApiServer,
  type TestNode,
  testNode,
} from "../../lib/apiserver/api_server_testing.ts";
import { apiClient } from "../../lib/apiserver/client.ts";
import { parseNetworkPart } from "../../lib/cluster/network_part.ts";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { agentAtWork } from "../../lib/stage/agent_lock.ts";
import { readJournal } from "../../lib/stage/journal.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import type { PluginFile } from "../../lib/stage/stage.ts";
import { stages } from "../stages.ts";
import { type TestLab, testLab } from "./lab_testing.ts";
import { done, nodeStages, stateOf } from "./stages_testing.ts";

const applied = stages.filter(({ name }) => nodeStages.includes(name));

/** A Node of both families, on a segment, with the podCIDRs of that number. */
function dual(name: string, host: number, segment: number, pods?: number) {
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

const master = dual("master", 10, 1, 0);
const worker1 = dual("worker-1", 11, 1, 1);
const worker2 = dual("worker-2", 12, 2, 2);

function networkOf(more: string) {
  const cidrs = '[10.244.0.0/16, "fd00:10:244::/56"]';
  return parseNetworkPart(
    `provider: lab\nclusterCIDR: ${cidrs}\n${more}\n`,
    "cluster.yaml",
  );
}

/** What each agent needs. */
interface Around {
  readonly lab: TestLab;
  readonly api: TestApiServer;
  readonly pluginFiles: readonly PluginFile[];
}

/** An agent of a node, with what it logged. */
interface Running extends AsyncDisposable {
  readonly agent: Agent;
  /** Waits until this can be seen on the node. */
  until(seen: () => Promise<boolean> | boolean, what: string): Promise<void>;
  /** Waits until a shell says yes there. */
  untilThere(script: string): Promise<void>;
  /** Waits until a run found nothing to do. */
  untilClean(): Promise<void>;
}

async function around(lab: TestLab, api: TestApiServer): Promise<Around> {
  const build = applied.find(({ build }) => build !== undefined)?.build;
  assert(build !== undefined);
  return { lab, api, pluginFiles: (await build.make("portable")).files };
}

function running(
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

const tunnelMac = "02:dc:[0-9a-f:]*";
const hasTunnel = `ip route show 10.244.2.0/24 | grep -q 'dev deno.vxlan' && ` +
  "ip -6 route show fd00:10:244:2::/64 | grep -q 'dev deno.vxlan'";

/** What takes something of ours away, and what says that it is back. */
const drift: readonly (readonly [take: string, isBack: string])[] = [
  // Nothing can be written meanwhile: no journal, no status.
  [
    "for d in /var/lib/deno-cni /run/deno-cni; do mount --bind $d $d; " +
    "mount -o remount,bind,ro $d; done; ip route del 10.244.0.0/24",
    "ip route | grep -q '^10.244.0.0/24 ' && umount /var/lib/deno-cni /run/deno-cni",
  ],
  [
    "ip route del 10.244.0.0/24",
    "ip route | grep -q '^10.244.0.0/24 via 10.0.1.10 '",
  ],
  [
    "ip -6 route del fd00:10:244::/64",
    "ip -6 route | grep -q '^fd00:10:244::/64'",
  ],
  [
    "iptables -F FORWARD",
    "iptables -S FORWARD | grep -q -- '-d 10.244.0.0.16 .*deno-cni'",
  ],
  [
    "ip neigh del 10.244.2.0 dev deno.vxlan",
    `ip neigh show dev deno.vxlan | grep -q '^10.244.2.0 lladdr ${tunnelMac} PERMANENT'`,
  ],
  [
    "bridge fdb del $(bridge fdb show dev deno.vxlan | cut -d' ' -f1) dev deno.vxlan",
    "bridge fdb show dev deno.vxlan | grep -q 'dst 10.0.2.12 self permanent'",
  ],
  [
    "ip link set deno.vxlan mtu 1300",
    "ip link show deno.vxlan | grep -q 'mtu 1450'",
  ],
  ["ip link del deno.vxlan", hasTunnel],
  [
    "sysctl -qw net.ipv4.conf.cni0.accept_redirects=1",
    "[ $(sysctl -n net.ipv4.conf.cni0.accept_redirects) = 0 ]",
  ],
  [
    "rm /etc/cni/net.d/10-deno-cni.conflist",
    "[ -s /etc/cni/net.d/10-deno-cni.conflist ]",
  ],
  [
    "rm -r /opt/cni/bin",
    "[ -x /opt/cni/bin/deno-cni ] && [ -x /opt/cni/bin/loopback ]",
  ],
  ["ip link del cni0", "ip -br addr | grep -q '^cni0 .* 10.244.1.1/24'"],
];

/** The same of nftables. */
const driftOfRules: typeof drift = [
  [
    "nft flush chain inet deno_cni forward",
    "nft list chain inet deno_cni forward | grep -q '@cluster6 accept'",
  ],
  [
    "nft delete table inet deno_cni",
    "nft list chain inet deno_cni postrouting | grep -q masquerade",
  ],
];

/** Each is gone only after the one before it is back, and a run of each is quick. */
async function comesBack(
  { lab }: Around,
  name: string,
  { untilThere }: Running,
  all: typeof drift,
): Promise<void> {
  for (const [take, isBack] of all) {
    await lab.on(name, cmd`sh -euc ${take}`);
    await untilThere(isBack);
  }
}

const pings = (from: number, to: number) =>
  `ping -c 1 -W 1 -I 10.244.${from}.1 10.244.${to}.1 && ` +
  `ping -c 1 -W 1 -I fd00:10:244:${from}::1 fd00:10:244:${to}::1`;

/** The requests for a node's own status, the last one's annotations. */
const annotations = ({ got }: TestApiServer, name: string) =>
  got.filter(({ path }) => path === `/api/v1/nodes/${name}/status`)
    .map(({ body }) => JSON.parse(body).metadata?.annotations).at(-1);

async function joinedByTunnels(it: Around): Promise<void> {
  const { lab, api } = it;
  for (const node of [master, worker1]) api.put(node);
  await using one = running(it, "worker-1");
  await one.untilClean();
  await one.untilThere(
    "ip route | grep -q '10.244.0.0/24 via 10.0.1.10' && ! ip link show deno.vxlan",
  );
  // It has no podCIDR yet: its agent tells which flag was forgotten.
  api.put(dual("worker-2", 12, 2));
  await using two = running(it, "worker-2", "routes: auto\nfirewall: nftables");
  const event = () => api.got.some(({ body }) => body.includes("NoPodCIDR"));
  await two.until(event, "an Event");
  assertStringIncludes(
    two.agent.status().problems.join(),
    "--pod-network-cidr",
  );
  api.put(worker2);
  await one.untilThere(hasTunnel);
  await two.untilThere(pings(2, 1));
  await two.until(
    () =>
      annotations(api, "worker-2")?.["deno-cni/vtep-address"] === "10.0.2.12",
    "where its tunnels end",
  );
  // What annotations say of another node leads nowhere else.
  const says = { "deno-cni/vtep-address": "10.0.1.10" };
  api.put({ ...worker2, metadata: { ...worker2.metadata, annotations: says } });
  await Promise.all([
    comesBack(it, "worker-1", one, drift),
    comesBack(it, "worker-2", two, driftOfRules),
  ]);
  await Promise.all([one.untilClean(), two.untilClean()]);
  assert(one.agent.status().repaired > 10, JSON.stringify(one.agent.status()));
  await two.untilThere(pings(2, 1));

  await lab.on("worker-2", cmd`ip addr add 10.0.2.13/24 dev eth0`);
  api.put(dual("worker-2", 13, 2, 2));
  await one.untilThere(
    "bridge fdb show dev deno.vxlan | grep -q 'dst 10.0.2.13 '",
  );
  await two.untilThere(
    "ip -d link show deno.vxlan | grep -q 'local 10.0.2.13 '",
  );
  await two.untilThere("ping -c 1 -W 1 -I 10.244.2.1 10.244.1.1");

  api.remove("worker-2");
  await one.untilThere("! ip link show deno.vxlan");
  api.behave("silent");
  api.cut();
  await one.until(() => !one.agent.status().api.isReachable, "no API server");
  await comesBack(
    it,
    "worker-1",
    one,
    drift.filter(([take]) => take.startsWith("iptables")),
  );
}

/** An agent that starts without an API server goes by the nodes that it knew. */
async function withoutServer(it: Around): Promise<void> {
  const { lab } = it;
  await lab.on("worker-1", cmd`ip route flush proto 244`);
  await using one = running(it, "worker-1");
  await one.untilThere("ip route | grep -q '10.244.0.0/24 via 10.0.1.10'");
  const mode = cmd`stat -c %a /var/lib/deno-cni/nodes.json`;
  assertEquals(await lab.on("worker-1", mode), "600\n");
  const refused = await lab.script("04-bridge", "--node", "worker-1");
  assertEquals(refused.code, 1);
  assertStringIncludes(refused.stderr, "an agent (version test, process");
}

/** The other kind of routes takes the tunnels' place, and bird is begun again. */
async function joinedByBgp(it: Around): Promise<void> {
  const { lab, api } = it;
  api.behave("well");
  api.put(worker2);
  const secret = "umask 077; echo 'of routers' >/run/bgp-password";
  for (const name of ["worker-1", "worker-2"]) {
    await lab.on(name, cmd`sh -euc ${secret}`);
  }
  const bgp = "routes: bgp\nbgp: { passwordFile: /run/bgp-password }";
  await using one = running(it, "worker-1", bgp);
  await using two = running(it, "worker-2", bgp);
  const learnt = "ip route show proto bird | grep -q '^10.244.2.0/24' && " +
    "ip -6 route show proto bird | grep -q '^fd00:10:244:2::/64'";
  await one.untilThere(`! ip link show deno.vxlan && ${learnt}`);
  await two.untilThere("ip route show proto bird | grep -q '^10.244.1.0/24'");
  await one.untilThere('[ -z "$(ip route show proto 244)" ]');
  await lab.on("worker-1", cmd`sh -c ${"kill -9 $(cat /run/bird/bird.pid)"}`);
  await one.untilThere(`birdc -r show status && ${learnt}`);
}

/** A process of `agent run` on worker-1, whose API server does not answer. */
function spawned(lab: TestLab, folder: string): Deno.ChildProcess {
  const { HOME = "/root", DENO_DIR = `${HOME}/.cache/deno` } = Deno.env
    .toObject();
  const flags = [
    ...["--node", "worker-1", "--config", `${folder}/network.yaml`],
    ...["--kubeconfig", `${folder}/kubeconfig.yaml`],
  ];
  const run = ["run", "-A", "--no-check", "--cached-only"];
  // Entering a node begins with an environment of the node's.
  const [program, ...args] = lab.node("worker-1").enter(
    cmd`env DENO_DIR=${DENO_DIR} ${Deno.execPath()} ${run} ${projectRoot}/scripts/agent.ts run ${flags}`,
  ).argv;
  return new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Waits until the process says this; the rest of what it says is passed over. */
async function lineOf(
  { stderr }: Deno.ChildProcess,
  words: string,
): Promise<void> {
  const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes(words)) {
    const { value, done } = await reader.read();
    assert(!done, said);
    said += value;
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
}

/** Killed in the middle, ended in time, and two at one time. */
async function asProcesses({ lab }: Around): Promise<void> {
  const node = lab.node("worker-1");
  const folder = lab.file.replace(/\/[^/]*$/, "");
  const cidrs = '[10.244.0.0/16, "fd00:10:244::/56"]';
  await Deno.writeTextFile(
    `${folder}/network.yaml`,
    `provider: lab\nclusterCIDR: ${cidrs}\nroutes: auto\n`,
  );
  await Deno.writeTextFile(
    `${folder}/kubeconfig.yaml`,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
      clusters: [{ name: "k", cluster: { server: "http://127.0.0.1:1" } }],
      users: [{ name: "u", user: { token: "none" } }],
    }),
  );
  const until = async (holds: () => Promise<boolean>, what: string) => {
    const end_ms = performance.now() + 60_000;
    while (!await holds()) {
      assert(performance.now() < end_ms, `not seen: ${what}`);
      await new Promise((go) => setTimeout(go, 50));
    }
  };
  const there = (script: string) =>
    until(
      async () => (await node.run(cmd`sh -c ${script}`)).code === 0,
      script,
    );
  // In the middle of a run: the tunnel's link is there, and what comes after is not yet.
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    await lab.on("worker-1", cmd`sh -c ${"ip link del deno.vxlan || :"}`);
    const cut = spawned(lab, folder);
    await there("ip link show deno.vxlan");
    cut.kill(signal);
    const { code } = await cut.output();
    assertEquals(code, signal === "SIGTERM" ? 0 : 137);
    await readJournal(node);
    assertEquals(await agentAtWork(node, {}), undefined);
  }
  const one = spawned(lab, folder);
  await there(
    `${hasTunnel} && grep -q '"outcome":"c' /run/deno-cni/agent.json`,
  );
  // Tunnels have taken bird's place.
  await there("! birdc -r show status");
  const two = spawned(lab, folder);
  await lineOf(two, "another agent is at work here");
  one.kill("SIGKILL");
  await one.output();
  await there(`grep -q 'process ${two.pid}$' /run/deno-cni/agent.lock`);
  two.kill("SIGINT");
  assertEquals((await two.status).code, 0);
  assertEquals(await agentAtWork(node, {}), undefined);
  const left = await node.run(cmd`cat /run/deno-cni/agent.json`);
  assertEquals(left.stdout, "", "what an agent says of itself ends with it");
}

/** What is not ours is refused, and Kubernetes is told. */
async function refuses(it: Around): Promise<void> {
  const { lab, api } = it;
  await lab.on("worker-1", cmd`ip link add cni0 type bridge`);
  await using one = running(it, "worker-1");
  const event = () =>
    api.got.find(({ path, body }) =>
      path === "/api/v1/namespaces/default/events" &&
      body.includes("cni0 is a bridge that this tool did not make")
    );
  await one.until(() => event() !== undefined, "an Event");
  const { reason, involvedObject } = JSON.parse(event()!.body);
  assertEquals([reason, involvedObject.name], ["Refused", "worker-1"]);
  assertStringIncludes(
    one.agent.status().problems.join("\n"),
    "cni0 is a bridge that this tool did not make",
  );
  const find = cmd`find /etc/cni -name ${"*.conflist"}`;
  const list = await lab.on("worker-1", find);
  assertEquals(list, "", "a node that cannot run pods is not called ready");
  done(await lab.script("status"));
}

/** Follows nodes' lives, on one lab, since each part needs what the one before it left. */
rooted(
  "agents make nodes' networks of Kubernetes' nodes by routes, tunnels and BGP, repair them with and without the API " +
    "server, are taken back, and are handed what the stages made without a packet lost",
  async () => {
    const file = `${projectRoot}/config/lab-two-segments.yaml`;
    const text = await Deno.readTextFile(file);
    await using lab = await testLab(
      "t-agent",
      () => text.replace("name: lab-two\n", "name: t-agent\n"),
    );
    for (const stage of ["01-provision", "02-kubeadm"]) {
      done(await lab.script(stage));
    }
    const before = await stateOf(lab, "worker-1");
    await using api = testApiServer();
    const it = await around(lab, api);
    await joinedByTunnels(it);
    await withoutServer(it);
    // The scripts go on where the agent was: the same marks, the same journal.
    for (const stage of ["04-bridge", "06-forwarding", "07-masquerade"]) {
      const report = await lab.report(stage, "--node", "worker-1");
      const { changed, failed } = report.recap["worker-1"]!;
      assertEquals([stage, changed, failed], [stage, 0, 0]);
    }
    const hasBird = await Deno.stat("/usr/sbin/bird").then(
      () => true,
      () => false,
    );
    if (hasBird) await joinedByBgp(it);
    await asProcesses(it);
    const { results, left } = await cleanMachine(
      lab.node("worker-1"),
      applied.map(({ name }) => name),
    );
    assertEquals(results.filter(({ status }) => status === "failed"), []);
    // What every network needs stays.
    const loopback = "/opt/cni/bin/loopback";
    assertEquals(left, [`${loopback}: not ours, or of use to others`]);
    await lab.on("worker-1", cmd`rm ${loopback}`);
    assertEquals(await stateOf(lab, "worker-1"), before);
    api.behave("well");
    await refuses(it);
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
