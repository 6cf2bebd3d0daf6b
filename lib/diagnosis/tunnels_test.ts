/** What a node's answer says of its tunnels; a lab test has the faults themselves. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster, twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import { tunnelAddress, vtepMac } from "../net/vxlan.ts";
import { cmd } from "../exec/command.ts";
import { remedyLine } from "./remedy.ts";
import {
  faultBetween,
  inTunnelsWay,
  tunnelFaults,
  tunnelQuestion,
} from "./tunnels.ts";

const names = { name: "lab-two", stateDir: "/state/lab-two" };
const cluster = twoSegmentsCluster(names);
const [, node, far] = cluster.nodes;
assert(node && far);

const mac = vtepMac(far.name);
const link = JSON.stringify([{
  flags: ["UP"],
  mtu: 1450,
  address: vtepMac(node.name),
  linkinfo: {
    info_kind: "vxlan",
    info_data: { id: 1, port: 8472, local: "10.0.1.11" },
  },
}]);
const neighbours = JSON.stringify(
  far.podCIDRs.map((podCIDR) => ({ dst: tunnelAddress(podCIDR), lladdr: mac })),
);
const udp = (when: string, errors: number) =>
  `${when} Udp: InDatagrams InCsumErrors\n${when} Udp: 9 ${errors}\n`;
const well = `link ${link}\nneighbours ${neighbours}\n` +
  `entries [{"mac":"${mac}","dst":"10.0.2.12"}]\n` +
  `${udp("before", 1)}answers 10.244.2.0\n${udp("after", 1)}`;

function faults(stdout: string) {
  assert(node);
  const outcome = { code: 0, stdout, stderr: "" };
  return tunnelFaults(cluster, node, {
    where: node.name,
    command: cmd`sh`,
    outcome,
  });
}

Deno.test("a node without tunnels is not asked for them", () => {
  const lab = labCluster(names);
  assert(lab.nodes[0]);
  assertEquals(tunnelQuestion(lab, lab.nodes[0]), undefined);
  assert(tunnelQuestion(cluster, node) !== undefined);
});

Deno.test("tunnels that are well have no fault, and an answer that was cut off tells none", () => {
  assertEquals(faults(well), []);
  assertEquals(faults(well.slice(0, well.indexOf("before"))), []);
  assertEquals(faults(""), []);
});

Deno.test("a rule of the node's own is named with what takes it away", () => {
  const rule = "-A INPUT -p udp -m udp --dport 8472 -j DROP";
  const [fault, ...more] = faults(
    well.replace("answers", "silent")
      .replace("before", `rule iptables ${rule}\nbefore`),
  );
  assertEquals(more, []);
  assertEquals(fault?.is, "refused");
  assertEquals(
    fault?.cause.what,
    "worker-1 drops the tunnels' UDP packets by a rule of its own",
  );
  assertEquals(
    fault?.cause.remedies.map((remedy) => remedyLine(remedy, cluster)),
    [
      "make shell CLUSTER=config/lab-two-segments.yaml NODE=worker-1 " +
      'ARGS="-- iptables -w -D INPUT -p udp -m udp --dport 8472 -j DROP"',
    ],
  );
});

/** What the only fault of an answer is, and the lines that mend it. */
function theFault(stdout: string) {
  const [fault, ...more] = faults(stdout);
  assertEquals(more.map(({ cause }) => cause.what), []);
  return {
    what: fault?.cause.what ?? "nothing",
    mends: (fault?.cause.remedies ?? []).map((remedy) =>
      remedyLine(remedy, cluster).replace(/^.*ARGS="(-- )?(.*)"$/, "$2")
    ),
  };
}

Deno.test("a link of another kind, and one without the node's own address ahead of others, are named as that", () => {
  const bridge = theFault(well.replace('"vxlan","info_data', '"bridge","x'));
  assert(bridge.what.endsWith("it is a bridge, not a vxlan"), bridge.what);
  assertEquals(bridge.mends, ["ip link del deno.vxlan", "--node worker-1"]);
  const addresses = (...held: readonly string[]) =>
    well.replace(
      "entries",
      `addresses ${
        JSON.stringify([{
          addr_info: held.map((one) => {
            const [local, length] = one.split("/");
            const family = one.includes(":") ? "inet6" : "inet";
            const prefixlen = Number(length);
            return { family, local, prefixlen, scope: "global" };
          }),
        }])
      }\nentries`,
    );
  const six = node.podCIDRs.flatMap((podCIDR) =>
    podCIDR.includes(":") ? [`${tunnelAddress(podCIDR)}/128`] : []
  );
  assertEquals(faults(addresses("10.244.1.0/32", "10.9.9.9/32", ...six)), []);
  for (
    const [held, said, mends] of [
      [[], "lacks its address 10.244.1.0/32: ", []],
      [
        ["10.244.1.0/16"],
        "lacks its address 10.244.1.0/32, and has 10.244.1.0/16: ",
        [
          "ip addr del 10.244.1.0/16 dev deno.vxlan",
        ],
      ],
      [
        ["10.9.9.9/32", "10.244.1.0/32"],
        "has its address 10.244.1.0/32 behind 10.9.9.9/32: ",
        ["ip addr del 10.9.9.9/32 dev deno.vxlan"],
      ],
    ] as const
  ) {
    const found = theFault(addresses(...held, ...six));
    assert(found.what.includes(said), found.what);
    assertEquals(found.mends, [...mends, "--node worker-1"]);
  }
});

Deno.test("what keeps stage 08 from its work is told before it has run, and what it does itself is not", () => {
  const at = (stdout: string) => {
    const outcome = { code: 0, stdout, stderr: "" };
    const asked = { where: node.name, command: cmd`sh`, outcome };
    return inTunnelsWay(cluster, node, asked)?.what ?? "nothing";
  };
  const flannel = link.replace("[{", '[{"ifname":"flannel.1",');
  assert(at(`link \nvxlans ${flannel}\n`).includes(": flannel.1 is a vxlan"));
  assert(at(well.replace(":8472", ":4789")).includes("its port is 4789"));
  const ours = well.replace("[{", '[{"ifalias":"deno-cni",');
  assertEquals(at(ours.replace(":8472", ":4789")), "nothing");
  assertEquals(at("link \n"), "nothing");
  assertEquals(at(""), "nothing");
});

Deno.test("an entry that leaves by another port, VNI or link than the tunnels' is named", () => {
  const { what } = theFault(
    well.replace('"dst":"10.0.2.12"', '"dst":"10.0.2.12","port":4789'),
  );
  assert(what.endsWith("by another way than the tunnels': port 4789"), what);
});

Deno.test("a policy that drops the tunnels' packets is named by what it says, whatever it has counted", () => {
  const at = (...rules: readonly string[]) =>
    theFault(
      well.replace("answers", "silent").replace(
        "after",
        `${
          ["-P INPUT DROP", ...rules]
            .map((rule) => `chain iptables filter ${rule}\n`).join("")
        }after`,
      ),
    );
  const established =
    "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
  assertEquals(at(established), {
    what: "worker-1 drops packets of the tunnels by the policy of the chain " +
      "INPUT (iptables, table filter)",
    mends: [
      "iptables -w -t filter -I INPUT -p udp --dport 8472 -j ACCEPT",
    ],
  });
  assert(
    at(established, "-A INPUT -p udp -m udp --dport 8472 -j ACCEPT").what
      .includes("UDP port 8472 is dropped between"),
  );
});

Deno.test("entries and neighbours of no far node are told of, and are no cause of any path's", () => {
  const left = well.replace(
    '"dst":"10.0.2.12"}',
    '"dst":"10.0.2.12"},{"mac":"02:dc:11:22:33:44","dst":"10.0.2.99"}',
  ).replace(
    "neighbours [",
    'neighbours [{"dst":"10.244.9.0","lladdr":"02:dc:11:22:33:44"},',
  );
  const { what, mends } = theFault(left);
  assert(what.includes("02:dc:11:22:33:44 dst 10.0.2.99; the nei"), what);
  assertEquals(mends, [
    "bridge fdb del 02:dc:11:22:33:44 dev deno.vxlan dst 10.0.2.99",
    "ip neigh del 10.244.9.0 dev deno.vxlan",
  ]);
  const outcome = { code: 0, stdout: left, stderr: "" };
  const asked = { where: node.name, command: cmd`sh`, outcome };
  const ends = [[node, asked], [far, undefined]] as const;
  assertEquals(faultBetween(cluster, ends, "pings"), undefined);
});

Deno.test("where the node's own routes lead past the tunnel, or its packets nowhere, that is what is said", () => {
  const silent = (inner: string, outer: string) =>
    theFault(well.replace(
      "answers 10.244.2.0",
      `silent 10.244.2.0\ninner 10.244.2.0 ${inner}\nouter 10.244.2.0 ${outer}`,
    ));
  const right = '[{"dst":"10.244.2.0/24","gateway":"10.244.2.0",' +
    '"dev":"deno.vxlan","protocol":"244","flags":["onlink"]}]';
  const outer =
    '[{"dst":"10.0.2.0/24","gateway":"10.0.1.2","dev":"eth0","flags":[]}]';
  assert(silent(right, outer).what.includes("UDP port 8472 is dropped"));
  const past = silent(
    '[{"dst":"10.244.2.0/25","gateway":"10.0.1.2","dev":"eth0","flags":[]}]',
    outer,
  );
  assertEquals(
    past.what,
    "what worker-1 sends to 10.244.2.0, worker-2's end of the tunnel, does not " +
      'go by deno.vxlan: its route is "10.244.2.0/25 via 10.0.1.2 dev eth0"',
  );
  assertEquals(past.mends, [
    "ip route del 10.244.2.0/25 via 10.0.1.2 dev eth0",
    "--node worker-1",
  ]);
  const nowhere = silent(right, "RTNETLINK answers: Invalid argument");
  assertEquals(
    nowhere.what,
    "what worker-1 sends to 10.0.2.12, worker-2, in UDP packets to port 8472, " +
      "goes nowhere: the kernel refuses it (blackhole)",
  );
  assert(nowhere.mends[0]?.includes("type blackhole"), nowhere.mends[0]);
  const back = silent(right, right.replace('"10.244.2.0/24"', '"10.0.0.0/16"'));
  assert(back.what.includes("goes into the tunnel itself"), back.what);
});

Deno.test("a tunnel that long packets do not get through is named with what fits it, or what drops them", () => {
  const narrow = (passes: string) =>
    faults(well.replace("after", `narrow 10.244.2.0 1450\n${passes}after`));
  const [fault, ...more] = narrow(
    "passes 10.244.2.0 1380\npasses 10.244.2.0 1400\n",
  );
  assertEquals(more, []);
  assertEquals(fault?.is, "narrow");
  assertEquals(
    fault?.cause.what,
    "packets of 1450 bytes do not get through the tunnel from worker-1 to " +
      "worker-2 and back, and short ones do: they are 1500 bytes with the " +
      "tunnel's headers, and between 10.0.1.11 and 10.0.2.12 no more than " +
      "about 1400 get through",
  );
  assertEquals(
    fault?.cause.remedies.map((remedy) => remedyLine(remedy, cluster))[0],
    `write vxlan: {mtu: 1400} into ${cluster.file}`,
  );
  const [told] = narrow(
    "remembers 10.244.2.0 1350\npasses 10.244.2.0 1400\n",
  );
  const lines = told?.cause.remedies.map((one) => remedyLine(one, cluster));
  assertEquals(lines?.slice(1, 3), [
    `make shell CLUSTER=${cluster.file} NODE=worker-1 ARGS="-- ip route flush cache"`,
    `write vxlan: {mtu: 1400} into ${cluster.file}`,
  ]);
  const [dropped] = narrow("");
  assert(dropped?.cause.what.includes("drops what is that long"));
});

Deno.test("whatever drops the tunnels' packets on the node itself is named with what lets them pass", () => {
  for (
    const [line, what, mend] of [
      [
        "drops iptables filter -A HARD -p udp -j DROP",
        "a rule of the chain HARD (iptables, table filter)",
        "iptables -w -t filter -I HARD -p udp --dport 8472 -j ACCEPT",
      ],
      [
        "drops ip6tables raw -A PREROUTING -p udp -m udp --dport 8472 -j DROP",
        "a rule of the chain PREROUTING (ip6tables, table raw)",
        "ip6tables -w -t raw -D PREROUTING -p udp -m udp --dport 8472 -j DROP",
      ],
      [
        "drops iptables filter -A INPUT -i deno.vxlan -j DROP",
        "a rule of the chain INPUT (iptables, table filter)",
        "iptables -w -t filter -D INPUT -i deno.vxlan -j DROP",
      ],
      [
        "drops iptables filter -P INPUT DROP",
        "the policy of the chain INPUT (iptables, table filter)",
        "iptables -w -t filter -I INPUT -p udp --dport 8472 -j ACCEPT",
      ],
      [
        "nft inet fw in 4 udp dport 8472 drop",
        "a rule of the chain inet fw in of nftables",
        "nft delete rule inet fw in handle 4",
      ],
      [
        "nft inet fw in policy",
        "the policy of the chain inet fw in of nftables",
        "nft insert rule inet fw in udp dport 8472 accept",
      ],
    ] as const
  ) {
    const [fault] = faults(
      well.replace("answers", "silent").replace("\nafter", `\n${line}\nafter`),
    );
    assertEquals(fault?.is, "refused");
    assertEquals(
      fault?.cause.what,
      `worker-1 drops packets of the tunnels by ${what}`,
    );
    const [remedy] = fault?.cause.remedies ?? [];
    assert(remedy && remedyLine(remedy, cluster).includes(`-- ${mend}"`));
  }
});

Deno.test("wrong checksums that come while the far end is tried are the cause", () => {
  const [fault] = faults(
    well.replace("answers", "silent").replace(
      "after Udp: 9 1",
      "after Udp: 9 3",
    ),
  );
  assertEquals(fault?.is, "refused");
  assert(fault?.cause.what.includes("its UDP checksum is wrong"));
  assertEquals(fault?.cause.evidence[0]?.printed, "UdpInCsumErrors: 2 more");
});
