/** What is read of namespaces' answers: obstacles that no lab can have among them. */
// @ts-types="../../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inFamily } from "../../cluster/address_family.ts";
import type { Family } from "../../net/cidr.ts";
import {
  labCluster,
  twoSegmentsCluster,
} from "../../cluster/cluster_testing.ts";
import { tunnelLink, vtepMac } from "../../net/vxlan.ts";
import { remedyLine } from "../remedy.ts";
import { flowsBetween } from "./obstacle_cause.ts";
import { findObstacles } from "./obstacles.ts";
import { readSurvey, surveyQuestion } from "./survey.ts";

const link = (ifname: string, local: string, more: object = {}) => ({
  ...{ ifname, ifindex: 1, flags: ["UP", "LOWER_UP"], link_type: "ether" },
  mtu: 1500,
  addr_info: local === "" ? [] : [{ local, prefixlen: 24, scope: "global" }],
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
  inside: { readonly prefix?: number; readonly parts?: typeof parts } = {},
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
  }, {
    stdout: answer([
      link("eth0", "10.244.1.2", {
        ...{ link_index: 7, address: "0a:58:0a:f4:01:02" },
        addr_info: [{
          ...{ local: "10.244.1.2", scope: "global" },
          prefixlen: inside.prefix ?? 24,
        }],
      }),
    ], inside.parts),
  });
  assert(node !== undefined && pod !== undefined);
  const ways = [
    flowsBetween(["10.244.1.2"], "10.244.2.2"),
    flowsBetween(["10.244.1.2"], "203.0.113.8"),
  ].flatMap(({ there, back }) => [...there, ...back]);
  return findObstacles([node, pod], cluster, ways);
}

const onlyDefault =
  '[{"dst":"default","gateway":"10.0.1.1","dev":"eth0","flags":[]}]\n[]';

const cases: readonly {
  readonly name: string;
  readonly parts?: Readonly<Record<string, string>>;
  readonly port?: object;
  readonly bridge?: object;
  readonly inside?: Parameters<typeof found>[3];
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
    says: "tbf on veth1 of worker-1 has dropped packets",
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
    name: "the bridge's own route that is gone, which leaves the default one",
    parts: { routes: onlyDefault },
    is: "loses",
    says: "worker-1 has no route to its own pods (10.244.1.0/24 dev cni0), " +
      "and default takes",
    mend: "ip route replace 10.244.1.0/24 dev cni0 proto kernel scope link " +
      "src 10.244.1.1",
  },
  {
    name: "a bridge without its address, and so without a route",
    parts: { routes: onlyDefault },
    bridge: link("cni0", "", { ifindex: 3 }),
    is: "loses",
    says: "worker-1 has no route to its own pods",
    mend: "make 04-bridge",
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
    name: "the old ebtables",
    parts: {
      "ebtables-legacy": "Bridge table: filter\n\n" +
        "Bridge chain: FORWARD, entries: 1, policy: ACCEPT\n" +
        "-p IPv4 --ip-dst 10.244.2.0/24 -j DROP \n",
    },
    is: "may lose",
    says: "a rule of FORWARD in the table filter of ebtables-legacy on " +
      "worker-1 says DROP: -p IPv4 --ip-dst 10.244.2.0/24 -j DROP",
    mend: "ebtables-legacy -t filter -D FORWARD -p IPv4 " +
      "--ip-dst 10.244.2.0/24 -j DROP",
  },
  {
    name: "the policy of mangle FORWARD",
    parts: { iptables: "*mangle\n:FORWARD DROP [0:0]\nCOMMIT\n" },
    is: "loses",
    says:
      "the policy of FORWARD in the table mangle of iptables on worker-1 says DROP",
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
    says:
      "a route that leads nowhere for pods of worker-2: prohibit 10.244.2.2",
    mend: "ip route del prohibit 10.244.2.2",
  },
  {
    name: "a route into another link than the owner's",
    parts: { routes: '[{"dst":"10.244.2.0/26","dev":"cni0"}]\n[]' },
    is: "loses",
    says: "the network 10.244.2.0/26 takes what is for pods of worker-2",
    mend: "ip route del 10.244.2.0/26 dev cni0",
  },
  {
    name: "a route that carries less than its link",
    parts: {
      routes: '[{"dst":"10.244.2.2","gateway":"10.0.1.12","dev":"eth0",' +
        '"metrics":[{"mtu":500,"lock":true}]}]\n[]',
    },
    is: "may lose",
    says: "takes packets of 500 bytes at most: 10.244.2.2 dev eth0 mtu 500",
    mend: "ip route replace 10.244.2.2 via 10.0.1.12 dev eth0",
  },
  {
    name: "a default route by a pod's veth",
    parts: {
      routes: '[{"dst":"default","dev":"veth1","metric":5},' +
        '{"dst":"default","gateway":"10.0.1.1","dev":"eth0","metric":9}]\n[]',
    },
    is: "loses",
    says: "worker-1 has a route to a pod's veth: default dev veth1",
    mend: "ip route del default dev veth1 metric 5",
  },
  {
    name: "an address on a pod's veth",
    port: {
      ...port({ state: "forwarding" }),
      addr_info: [{ local: "169.254.9.9", prefixlen: 16, scope: "link" }],
    },
    is: "may lose",
    says: "veth1 of worker-1 has the address 169.254.9.9/16, and is a pod's",
    mend: "ip addr del 169.254.9.9/16 dev veth1",
  },
  {
    name: "a pod that takes all others for its neighbours",
    inside: { prefix: 16 },
    is: "loses",
    says: "shell on worker-1 has 10.244.1.2/16, and its podCIDR is " +
      "10.244.1.0/24",
    mend: "ip addr add 10.244.1.2/24 dev eth0",
  },
  {
    name: "a pod with another gateway than its bridge",
    inside: {
      parts: {
        routes: '[{"dst":"default","gateway":"10.244.1.99","dev":"eth0"}]\n[]',
      },
    },
    is: "loses",
    says: "sends to the gateway 10.244.1.99, and its gateway, the bridge " +
      "cni0, is 10.244.1.1",
    mend: "ip route replace default via 10.244.1.1",
  },
  {
    name: "a pod whose packets pass one machine only",
    inside: { parts: { settings: "ipv4/ip_default_ttl:2\n" } },
    is: "loses",
    says: "what shell on worker-1 sends passes one machine: " +
      "net.ipv4.ip_default_ttl is 2",
    mend: "sysctl -w net/ipv4/ip_default_ttl=64",
  },
  {
    name: "a pod that answers no ARP request",
    inside: { parts: { settings: "ipv4/conf/eth0/arp_ignore:8\n" } },
    is: "loses",
    says: "answers no ARP request: net.ipv4.conf.eth0.arp_ignore is 8",
    mend: "sysctl -w net/ipv4/conf/eth0/arp_ignore=0",
  },
  {
    name: "a node that asks for no link-layer address",
    parts: { settings: "ipv4/neigh/cni0/mcast_solicit:0\n" },
    is: "loses",
    says: "worker-1 asks for no link-layer address on cni0",
    mend: "sysctl -w net/ipv4/neigh/cni0/mcast_solicit=3",
  },
  {
    name: "a rule that lets packets end by their TTL",
    parts: {
      iptables: "*mangle\n:PREROUTING ACCEPT [0:0]\n" +
        "-A PREROUTING -i cni0 -j TTL --ttl-set 1\nCOMMIT\n",
    },
    is: "loses",
    says: "of iptables on worker-1 lets packets end by its TTL of 1",
    mend: "iptables -w -t mangle -D PREROUTING -i cni0 -j TTL --ttl-set 1",
  },
  {
    name: "a rule that keeps connections from being tracked",
    parts: {
      iptables: "*raw\n:PREROUTING ACCEPT [0:0]\n" +
        "-A PREROUTING -i eth0 -j CT --notrack\nCOMMIT\n",
    },
    is: "loses",
    says: "keeps packets from being tracked",
    mend: "iptables -w -t raw -D PREROUTING -i eth0 -j CT --notrack",
  },
  {
    name: "a zone of connection tracking for one direction",
    parts: {
      iptables: "*raw\n:PREROUTING ACCEPT [0:0]\n" +
        "-A PREROUTING -i eth0 -j CT --zone 5\nCOMMIT\n",
    },
    is: "loses",
    says: "puts packets into zone 5 of connection tracking",
    mend: "iptables -w -t raw -D PREROUTING -i eth0 -j CT --zone 5",
  },
  {
    name: "a source that nobody has",
    parts: {
      iptables: "*nat\n:POSTROUTING ACCEPT [0:0]\n" +
        "-A POSTROUTING -o eth0 -j SNAT --to-source 10.0.1.99\nCOMMIT\n",
    },
    is: "loses",
    says: "writes 10.0.1.99 as the source, which worker-1 does not have",
    mend: "iptables -w -t nat -D POSTROUTING -o eth0 -j SNAT --to-source " +
      "10.0.1.99",
  },
  {
    name: "a rule about long packets",
    parts: {
      iptables: "*filter\n:FORWARD ACCEPT [0:0]\n-A FORWARD -m length " +
        "--length 1000:65535 -j DROP\nCOMMIT\n",
    },
    is: "may lose",
    says: "on worker-1 says DROP to packets of 1500 bytes: -A FORWARD",
    mend: "iptables -w -t filter -D FORWARD -m length --length 1000:65535",
  },
  {
    name: "a rule about pings",
    inside: {
      parts: {
        iptables: "*filter\n:INPUT ACCEPT [0:0]\n" +
          "-A INPUT -p icmp -j DROP\nCOMMIT\n",
      },
    },
    is: "may lose",
    says: "iptables on shell on worker-1 says DROP to ICMP: -A INPUT -p icmp",
    mend: "iptables -w -t filter -D INPUT -p icmp -j DROP",
  },
  {
    name: "a program that nobody may be running",
    parts: {
      iptables: "*mangle\n:FORWARD ACCEPT [0:0]\n" +
        "-A FORWARD -j NFQUEUE --queue-num 3\nCOMMIT\n",
    },
    is: "loses",
    says: "says NFQUEUE: -A FORWARD -j NFQUEUE --queue-num 3",
    mend: "iptables -w -t mangle -D FORWARD -j NFQUEUE --queue-num 3",
  },
  {
    name: "a frame's way that was written down by hand",
    parts: {
      frames: '[{"mac":"0a:58:0a:f4:01:02","ifname":"veth1","flags":[],' +
        '"master":"cni0","state":"permanent"}]',
      "frames.text": "0a:58:0a:f4:01:02 dev veth1 master cni0 permanent\n",
    },
    is: "loses",
    says: "has it written down that 0a:58:0a:f4:01:02 is the node's own",
    mend: "bridge fdb del 0a:58:0a:f4:01:02 dev veth1 master",
  },
  {
    name: "a port that is locked",
    port: port({ state: "forwarding", locked: true }),
    is: "may lose",
    says: "is locked",
    mend: "bridge link set dev veth1 locked off",
  },
  {
    name: "a port that gets no broadcast",
    port: port({ state: "forwarding", bcast_flood: false }),
    is: "may lose",
    says: "gets no broadcast",
    mend: "bridge link set dev veth1 bcast_flood on",
  },
  {
    name: "a filter of tc that sends elsewhere",
    parts: {
      "filter ingress veth1":
        "filter parent ffff: protocol ip pref 49152 u32 chain 0 \n" +
        "  match 00000000/00000000 at 0\n" +
        "\taction order 1: mirred (Egress Redirect to device lo) stolen\n",
    },
    is: "may lose",
    says: "tc has a filter that sends elsewhere what comes in by veth1",
    mend: "tc filter del dev veth1 ingress",
  },
  {
    name: "a program that tc does not show",
    parts: {
      programs: "xdp:\n\ntc:\neth0(2) tcx/ingress drop prog_id 31 " +
        "link_id 4\n\nflow_dissector:\n\n",
    },
    is: "may lose",
    says: "a program of tcx (drop) is on what comes in by eth0 of worker-1",
    mend: "bpftool net detach tcx_ingress dev eth0",
  },
  {
    name: "a chain that stayed when iptables went",
    parts: {
      nft: JSON.stringify({
        nftables: [{
          chain: {
            ...{ family: "ip", table: "filter", name: "FORWARD" },
            ...{ hook: "forward", policy: "drop" },
          },
        }],
      }),
      iptables: "",
    },
    is: "loses",
    says: "the policy of the chain ip filter FORWARD of nftables on worker-1",
    mend: "nft chain ip filter FORWARD '{ policy accept; }'",
  },
  {
    name: "nftables on what leaves a link",
    parts: {
      nft: JSON.stringify({
        nftables: [{
          chain: {
            ...{ family: "netdev", table: "fw", name: "e" },
            ...{ hook: "egress", policy: "accept" },
          },
        }, {
          rule: {
            ...{ family: "netdev", table: "fw", chain: "e", handle: 2 },
            expr: [{ drop: null }],
          },
        }],
      }),
      "nft.text": "table netdev fw { # handle 1\n\tchain e { # handle 1\n" +
        '\t\ttype filter hook egress device "eth0" priority 0; policy ' +
        "accept;\n\t\tdrop # handle 2\n\t}\n}\n",
    },
    is: "loses",
    says: "a rule of the chain netdev fw e of nftables on worker-1 drops: drop",
    mend: "nft delete rule netdev fw e handle 2",
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
    const [obstacle, ...more] = found(
      one.parts ?? {},
      ports,
      one.bridge,
      one.inside,
    );
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

Deno.test("a tunnel's end that has the address of another's is named, and its neighbour's entry is left as it is", () => {
  const cluster = twoSegmentsCluster({ name: "two", stateDir: "/nowhere" });
  const boundary = surveyQuestion.argv.at(-1);
  const ends = ["10.244.1.0", "10.244.2.0"];
  const parts = {
    links: JSON.stringify([
      link("eth0", "10.0.1.11"),
      bridge,
      link(tunnelLink, "", {
        ...{ ifindex: 4, address: vtepMac("worker-1") },
        addr_info: ends.map((local) => (
          { local, prefixlen: 32, scope: "global" }
        )),
      }),
    ]),
    neighbours: JSON.stringify([{
      ...{ dst: "10.244.2.0", dev: tunnelLink, state: ["PERMANENT"] },
      lladdr: vtepMac("worker-2"),
    }]),
    end: "",
  };
  const survey = readSurvey({ node: "worker-1" }, {
    stdout: Object.entries(parts)
      .map(([name, text]) => `\n${boundary} ${name}\n${text}`).join(""),
  });
  assert(survey !== undefined);
  const { there, back } = flowsBetween(["10.244.1.2"], "10.244.2.2");
  const of = (family: Family) =>
    findObstacles([survey], inFamily(cluster, family), [...there, ...back])
      .filter(({ kind }) => kind === "address" || kind === "neighbour");
  const said = of(4);
  assertEquals(of(6), []);
  assertEquals(said.map(({ is, what }) => [is, what]), [[
    "loses",
    "deno.vxlan of worker-1 has the address 10.244.2.0/32, of the end of the " +
    "tunnels on worker-2",
  ]]);
  const [remedy] = said[0]?.remedies ?? [];
  assert(remedy !== undefined);
  assertStringIncludes(
    remedyLine(remedy, cluster),
    "ip addr del 10.244.2.0/32 dev deno.vxlan",
  );
});
