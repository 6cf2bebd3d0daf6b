/** Agents on the nodes of a lab of two segments, with an API server of the tests' own. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cleanMachine } from "../../lib/agent/cleanup.ts";
import {
  type TestApiServer,
  testApiServer,
} from "../../lib/apiserver/api_server_testing.ts";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { rooted } from "../../lib/lab/lab_testing.ts";
import { handedOver } from "./agent_hand_over_testing.ts";
import { asProcesses } from "./agent_processes_testing.ts";
import {
  applied,
  type Around,
  around,
  dual,
  hasTunnel,
  master,
  type Running,
  running,
  worker1,
  worker2,
} from "./agent_testing.ts";
import { testLab } from "./lab_testing.ts";
import { done, stateOf } from "./stages_testing.ts";

const tunnelMac = "02:dc:[0-9a-f:]*";
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
  [
    "ip link set deno.vxlan address 02:00:00:00:00:77",
    `ip link show deno.vxlan | grep -q 'ether 02:dc:' && ${hasTunnel}`,
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
