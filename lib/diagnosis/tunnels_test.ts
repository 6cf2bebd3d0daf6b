/** What a node's answer says of its tunnels; a lab test has the faults themselves. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster, twoSegmentsCluster } from "../cluster/cluster_testing.ts";
import { tunnelAddress, vtepMac } from "../net/vxlan.ts";
import { cmd } from "../exec/command.ts";
import { remedyLine } from "./remedy.ts";
import { tunnelFaults, tunnelQuestion } from "./tunnels.ts";

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
