/** What is read of namespaces' answers: obstacles that no lab can have among them. */
// @ts-types="../../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../../cluster/cluster_testing.ts";
import { remedyLine } from "../remedy.ts";
import { flowsBetween } from "./obstacle_cause.ts";
import { findObstacles } from "./obstacles.ts";
import { readSurvey, surveyQuestion } from "./survey.ts";

const link = (ifname: string, local: string, more: object = {}) => ({
  ...{ ifname, ifindex: 1, flags: ["UP", "LOWER_UP"], link_type: "ether" },
  addr_info: local === "" ? [] : [{ local, scope: "global" }],
  ...more,
});

const port = (data: object) =>
  link("veth1", "", {
    ...{ ifindex: 7, master: "cni0" },
    linkinfo: { info_slave_kind: "bridge", info_slave_data: data },
  });

const bridge = link("cni0", "10.244.1.1", { ifindex: 3 });

/** What worker-1 and its pod have, as one says it that has all of this. */
function found(
  parts: Readonly<Record<string, string>>,
  ports: readonly object[] = [port({ state: "forwarding" })],
  own: object = bridge,
) {
  const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
  const boundary = surveyQuestion.argv.at(-1);
  const answer = (links: readonly object[], more: typeof parts = {}) =>
    [...Object.entries({ links: JSON.stringify(links), ...more }), ["end", ""]]
      .map(([name, text]) => `\n${boundary} ${name}\n${text}`).join("");
  const node = readSurvey({ node: "worker-1" }, {
    stdout: answer([link("eth0", "10.0.1.11"), own, ...ports], parts),
  });
  const sandbox = "/run/netns/shell";
  const pod = readSurvey({
    node: "worker-1",
    pod: { name: "shell", sandbox },
  }, { stdout: answer([link("eth0", "10.244.1.2", { link_index: 7 })]) });
  assert(node !== undefined && pod !== undefined);
  const { there, back } = flowsBetween(["10.244.1.2"], "10.244.2.2");
  return findObstacles([node, pod], cluster, [...there, ...back]);
}

const cases: readonly {
  readonly name: string;
  readonly parts?: Readonly<Record<string, string>>;
  readonly port?: object;
  readonly bridge?: object;
  readonly is: "loses" | "may lose";
  readonly says: string;
  readonly mend: string;
}[] = [
  {
    name: "netem that loses all",
    parts: {
      qdiscs: '[{"kind":"netem","dev":"eth0","root":true,"drops":0,' +
        '"options":{"loss-random":{"loss":1,"correlation":0}}}]',
    },
    is: "loses",
    says: "netem on eth0 of worker-1 loses 100 %",
    mend: "tc qdisc del dev eth0 root",
  },
  {
    name: "a rate that has dropped packets",
    parts: { qdiscs: '[{"kind":"tbf","dev":"veth1","root":true,"drops":7}]' },
    is: "may lose",
    says: "tbf on veth1 of worker-1 has dropped 7 packets",
    mend: "tc qdisc del dev veth1 root",
  },
  {
    name: "a port without a VLAN on a bridge that filters them",
    parts: {
      vlans: '[{"ifname":"cni0","vlans":[{"vlan":1,"flags":["PVID"]}]},' +
        '{"ifname":"veth1","vlans":[{"vlan":9,"flags":["PVID"]}]}]',
    },
    bridge: {
      ...bridge,
      linkinfo: { info_data: { vlan_filtering: 1 } },
    },
    is: "loses",
    says: "its port veth1 is in VLAN 9, the bridge itself in 1",
    mend: "ip link set dev cni0 type bridge vlan_filtering 0",
  },
  {
    name: "a port that is blocked",
    port: port({ state: "blocking" }),
    is: "loses",
    says: "is in the state blocking",
    mend: "bridge link set dev veth1 state 3",
  },
  {
    name: "a port that is neither flooded nor learnt from",
    port: port({ state: "forwarding", learning: false, flood: false }),
    is: "loses",
    says: "the bridge does not learn there",
    mend: "bridge link set dev veth1 flood on learning on",
  },
  {
    name: "the policy of mangle FORWARD",
    parts: { iptables: "*mangle\n:FORWARD DROP [0:0]\nCOMMIT\n" },
    is: "loses",
    says: "the policy of FORWARD in the table mangle of iptables",
    mend: "iptables -w -t mangle -P FORWARD ACCEPT",
  },
  {
    name: "the old iptables' raw",
    parts: {
      "iptables-legacy": "*raw\n:PREROUTING ACCEPT [0:0]\n" +
        "-A PREROUTING -s 10.244.2.0/24 -j DROP\nCOMMIT\n",
    },
    is: "loses",
    says: "in the table raw of iptables-legacy on worker-1 says DROP",
    mend: "iptables-legacy -w -t raw -D PREROUTING -s 10.244.2.0/24 -j DROP",
  },
  {
    name: "a route that leads nowhere, beside a wider one that does",
    parts: {
      routes: '[{"dst":"10.244.2.0/24","gateway":"10.0.1.12"},' +
        '{"type":"prohibit","dst":"10.244.2.2"}]\n[]',
    },
    is: "loses",
    says: "a route that leads nowhere for 10.244.2.2: prohibit 10.244.2.2",
    mend: "ip route del prohibit 10.244.2.2",
  },
  {
    name: "an IPsec default that blocks",
    parts: { defaults: "Default policies:\n in:  accept\n fwd: block\n" },
    is: "loses",
    says: "IPsec of worker-1 blocks all (fwd)",
    mend: "ip xfrm policy setdefault fwd accept",
  },
];

for (const one of cases) {
  Deno.test(`${one.name} is named with what takes it away`, () => {
    const ports = [one.port ?? port({ state: "forwarding" })];
    const [obstacle, ...more] = found(one.parts ?? {}, ports, one.bridge);
    assert(obstacle !== undefined);
    assertEquals(more, []);
    assertEquals(obstacle.is, one.is);
    assertStringIncludes(obstacle.what, one.says);
    const lines = obstacle.remedies.map((remedy) =>
      remedyLine(remedy, { file: "config/lab.yaml" })
    );
    assertStringIncludes(lines.join("\n"), one.mend);
  });
}

Deno.test("what does not concern the packets is no obstacle", () => {
  assertEquals(found({}), []);
  assertEquals(
    found({
      qdiscs: '[{"kind":"fq_codel","dev":"eth0","drops":3},' +
        '{"kind":"tbf","dev":"eth0","drops":0},' +
        '{"kind":"netem","dev":"eth9","options":{"loss-random":{"loss":1}}}]',
      iptables: "*raw\n:PREROUTING ACCEPT [0:0]\n" +
        "-A PREROUTING -s 192.0.2.0/24 -j DROP\n" +
        "-A PREROUTING -p tcp -m tcp --dport 81 -j DROP\nCOMMIT\n",
      routes: '[{"type":"blackhole","dst":"10.0.0.0/8"},' +
        '{"dst":"10.244.0.0/16","dev":"cni0"}]\n[]',
      policies: "src 192.0.2.0/24 dst 198.51.100.0/24 \n" +
        "\tdir out action block priority 0 ptype main \n",
    }),
    [],
  );
});
