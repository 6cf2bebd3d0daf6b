/** Which tables count as full, and what is advised: real answers, with other numbers in them. */
// @ts-types="../../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../../cluster/cluster_testing.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { splitParts } from "../../node/parts.ts";
import { remedyLine } from "../remedy.ts";
import { fullTables, packetTables } from "./full_tables.ts";
import type { Cause } from "../cause.ts";
import type { NodeFacts } from "../evidence.ts";
import { askTables, tablesIn } from "./kernel_tables.ts";
import { recordedTables } from "./tables_testing.ts";

const lab = labCluster({ name: "lab", stateDir: "/nowhere" });
const real: Cluster = { ...lab, provider: "ssh", file: "config/ssh.yaml" };

type Instead = readonly (readonly [RegExp | string, string])[];

function found(
  instead: Instead = [],
  cluster = real,
): readonly (Cause & { readonly is: string })[] {
  const parts = splitParts(recordedTables({ instead }), "XX");
  return fullTables(tablesIn(parts), cluster, "worker-1")
    .map(({ is, cause }) => ({ ...cause, is }));
}

const mend = ({ remedies }: Cause, { file }: Cluster = real) =>
  remedies.map((remedy) => remedyLine(remedy, { file }));

/** What is laid over an answer, and what is said of it then. */
interface Case {
  readonly name: string;
  readonly instead: Instead;
  readonly is: "full" | "scarce";
  readonly says: readonly string[];
  readonly shows: string;
  readonly mend: string;
}

const onNode = (line: string) =>
  `make shell CLUSTER=config/ssh.yaml NODE=worker-1 ARGS="-- ${line}"`;

const cases: readonly Case[] = [
  {
    name: "ARP",
    instead: [["entries 73 ", "entries 1024 "]],
    is: "full",
    says: [
      "the ARP table of worker-1 is full, 1024 of 1024 (net.ipv4.neigh.default.gc_thresh3)",
      "it had no room 4156 times since it was made",
    ],
    shows: "config key_len 4 entry_size 336 entries 1024",
    mend: onNode(
      "sysctl -w net.ipv4.neigh.default.gc_thresh3=2048 net.ipv4.neigh.default.gc_thresh2=1024",
    ),
  },
  {
    name: "IPv6 neighbours",
    instead: [["entries 23 ", "entries 900 "]],
    is: "scarce",
    says: ["the table of IPv6 neighbours of worker-1 is nearly full, 900 of"],
    shows: "thresh3 1024",
    mend: onNode(
      "sysctl -w net.ipv6.neigh.default.gc_thresh3=2048 net.ipv6.neigh.default.gc_thresh2=1024",
    ),
  },
  {
    name: "connections",
    instead: [
      ["nf_conntrack_count:0", "nf_conntrack_count:262144"],
      // The columns are hexadecimal, a line a processor.
      [/(search_restart\n(?:\w{8} +){10})\w{8}/, "$1000000ff"],
      [/(000000ff .*\n(?:\w{8} +){10})\w{8}/, "$100000010"],
    ],
    is: "full",
    says: [
      "the table of connections of worker-1 is full, 262144 of 262144",
      "new ones are dropped; it had no room 271 times",
    ],
    shows: "nf_conntrack_count:262144",
    mend: onNode("sysctl -w net.netfilter.nf_conntrack_max=524288"),
  },
  {
    name: "expected connections",
    instead: [["XX expected\n0", "XX expected\n4090"]],
    is: "full",
    says: ["4090 of 4096 (net.netfilter.nf_conntrack_expect_max)"],
    shows: "4090",
    mend: onNode("sysctl -w net.netfilter.nf_conntrack_expect_max=8192"),
  },
  {
    name: "fragments",
    instead: [["FRAG: inuse 0 memory 0", "FRAG: inuse 900 memory 4194300"]],
    is: "full",
    says: ["the memory for IPv4 fragments of worker-1 is full"],
    shows: "FRAG: inuse 900 memory 4194300",
    mend: onNode("sysctl -w net.ipv4.ipfrag_high_thresh=8388608"),
  },
  {
    name: "ports",
    instead: [[
      "TCP: inuse 2 orphan 0 tw 9",
      "TCP: inuse 20000 orphan 0 tw 8000",
    ]],
    is: "full",
    says: ["28000 of 28232 (net.ipv4.ip_local_port_range)", "EADDRNOTAVAIL"],
    shows: "TCP: inuse 20000 orphan 0 tw 8000",
    mend: onNode("sysctl -w 'net.ipv4.ip_local_port_range=1024 65535'"),
  },
  {
    name: "IPv6 routes",
    instead: [
      ["max_size:2147483647", "max_size:4096"],
      [
        "0009 0006 002d 0007 0000 0000 0000",
        "0009 0006 002d 0007 0000 0fff 0000",
      ],
    ],
    is: "full",
    says: ["the cache of IPv6 routes of worker-1 is full, 4095 of 4096"],
    shows: "0fff",
    mend: onNode("sysctl -w net.ipv6.route.max_size=8192"),
  },
  {
    name: "a bridge's ports",
    instead: [["XX ports\ncni0 3", "XX ports\ncni0 1023"]],
    is: "full",
    says: [
      "the list of cni0's ports of worker-1 is full, 1023 of 1023",
      "EXFULL",
    ],
    shows: "1023",
    mend: "have fewer pods on worker-1, and more nodes",
  },
  {
    name: "a bridge's learned addresses",
    instead: [[
      "XX bridges\n",
      "XX bridges\n7: cni0: <UP> mtu 1500\n    bridge fdb_n_learned 64 fdb_max_learned 64 forward_delay 1500\n",
    ]],
    is: "full",
    says: ["addresses that cni0 has learned of worker-1 is full, 64 of 64"],
    shows: "fdb_n_learned 64 fdb_max_learned 64",
    mend: onNode("ip link set dev cni0 type bridge fdb_max_learned 128"),
  },
  {
    name: "open files",
    instead: [[/file-nr:2219\t0\t\d+/, "file-nr:99990\t0\t100000"]],
    is: "full",
    says: ["the table of open files of worker-1 is full, 99990 of 100000"],
    shows: "99990",
    mend: onNode("sysctl -w fs.file-max=262144"),
  },
  {
    name: "processes",
    instead: [["11/515", "11/32768"]],
    is: "full",
    says: ["32768 of 32768 (kernel.pid_max)", "EAGAIN"],
    shows: "11/32768",
    mend: onNode("sysctl -w kernel.pid_max=65536"),
  },
  {
    name: "inotify's instances",
    instead: [["max_user_instances:128", "max_user_instances:7"]],
    is: "scarce",
    says: [
      "the list of inotify's instances of user 0 of worker-1 is nearly full, 6 of 7",
      "too many open files",
    ],
    shows: "fs.inotify.max_user_instances = 7",
    mend: onNode("sysctl -w fs.inotify.max_user_instances=16"),
  },
  {
    name: "inotify's watches",
    instead: [["max_user_watches:192536", "max_user_watches:88"]],
    is: "full",
    says: ["inotify's watches of user 0 of worker-1 is full, 88 of 88"],
    shows: "fs.inotify.max_user_watches = 88",
    mend: onNode("sysctl -w fs.inotify.max_user_watches=256"),
  },
  {
    name: "a group of processes",
    instead: [
      ["lab/kubepods/pids.max:4194304", "lab/kubepods/pids.max:45"],
      ["lab/kubepods/pids.events:max 0", "lab/kubepods/pids.events:max 12"],
    ],
    is: "full",
    says: [
      "the group of processes pids/lab/kubepods of worker-1 is full, 45 of 45 (pids.max)",
      "it had no room 12 times",
    ],
    shows: "/sys/fs/cgroup/pids/lab/kubepods/pids.current:45",
    mend: onNode("sh -c 'echo 128 >/sys/fs/cgroup/pids/lab/kubepods/pids.max'"),
  },
];

Deno.test("no table of a kernel that is well is full, whatever happened before", () => {
  assertEquals(found(), []);
  assertEquals(found([], lab), []);
});

Deno.test("each table that is full is named with its value, limit, setting, and the line that widens it", () => {
  for (const { name, instead, is, says, shows, mend: line } of cases) {
    const [first, ...others] = found(instead);
    assert(first !== undefined && others.length === 0, name);
    assertEquals(first.is, is, name);
    for (const words of says) assertStringIncludes(first.what, words, name);
    assertStringIncludes(first.evidence[0]?.printed ?? "", shows, name);
    assertEquals(mend(first), [line], name);
  }
});

Deno.test("what a lab's nodes cannot set is set on the computer that has the lab", () => {
  const [arp] = found([["entries 73 ", "entries 1024 "]], lab);
  assert(arp);
  assertStringIncludes(
    arp.what,
    "of this computer's kernel (one for all machines of the lab) is full",
  );
  assertEquals(mend(arp, lab), [
    "sysctl -w net.ipv4.neigh.default.gc_thresh3=2048 net.ipv4.neigh.default.gc_thresh2=1024",
  ]);
  const [tracked] = found([["count:0", "count:262144"]], lab);
  assert(tracked);
  assertEquals(mend(tracked, lab), [
    "sysctl -w net.netfilter.nf_conntrack_max=524288",
  ]);
  const [ports] = found([["tw 9", "tw 28230"]], lab);
  assert(ports);
  assertStringIncludes(mend(ports, lab)[0] ?? "", "make shell NODE=worker-1");
});

/** A lab of so many workers. */
function labOf(workers: number): Cluster {
  const [master, worker] = lab.nodes;
  assert(master && worker);
  const more = Array.from({ length: workers }, (_, at) => ({
    ...worker,
    name: `worker-${at + 1}`,
  }));
  return { ...lab, nodes: [master, ...more] };
}

Deno.test("a lab of more nodes than the neighbour table bears is told of before it is full", () => {
  assertEquals(found([], labOf(60)), []);
  const [arp, ...others] = found([], labOf(200));
  assert(arp !== undefined && others.length === 0);
  assertEquals(arp.is, "scarce");
  assertStringIncludes(
    arp.what,
    "has room for 1024 (net.ipv4.neigh.default.gc_thresh3), and this cluster of 201 nodes takes some 1200",
  );
  assertEquals(mend(arp, lab), [
    "sysctl -w net.ipv4.neigh.default.gc_thresh3=4096 net.ipv4.neigh.default.gc_thresh2=2048",
  ]);
});

Deno.test("neighbours that a stage has put in take no room, of each node of a lab as many", () => {
  const putIn: Instead = [
    ["entries 73 ", "entries 1805 "],
    ["XX values", "XX unbounded\n4 59\n6 0\nXX values"],
  ];
  assertEquals(found(putIn, labOf(29)), []);
  const [arp] = found(putIn);
  assertStringIncludes(arp?.what ?? "", "is full, 1746 of 1024");
  const [fewer] = found([["entries 73 ", "entries 1024 "], putIn[1]!]);
  assertStringIncludes(fewer?.what ?? "", "is nearly full, 965 of 1024");
});

Deno.test("more neighbours than the table may have, and none refused, are no matter of the limit", () => {
  const many: Instead = [["entries 73 ", "entries 7632 "]];
  assertEquals(found(many).length, 1);
  assertEquals(found([...many, ["table_fulls 4156", "table_fulls 0"]]), []);
});

/** What a node answered, as its facts have it. */
function factsOf(instead: Instead): Pick<NodeFacts, "tables"> {
  const boundary = askTables.argv.at(-1) ?? "";
  const stdout = recordedTables({ instead, boundary });
  const outcome = { code: 0, stdout, stderr: "" };
  return { tables: { where: "", command: askTables, outcome } };
}

Deno.test("only what packets of a family need on their nodes is a cause for their loss", () => {
  const whole: Instead = [
    ["entries 73 ", "entries 1024 "],
    ["entries 23 ", "entries 900 "],
    ["nf_conntrack_count:0", "nf_conntrack_count:262144"],
    [/file-nr:2219\t0\t\d+/, "file-nr:9\t0\t9"],
  ];
  const facts = new Map([
    ["master", factsOf([])],
    ["worker-1", factsOf(whole)],
  ]);
  const between = (cluster: Cluster, ...nodes: string[]) =>
    packetTables(facts, nodes, cluster).map(({ cause: { on, what } }) =>
      `${on}: ${/table|connections/.exec(what.slice(4))?.[0]}`
    );
  assertEquals(between(real, "master", "worker-2"), []);
  assertEquals(between(real, "worker-1", "worker-2"), [
    "worker-1: table",
    "worker-1: table",
  ]);
  const six = {
    ...real,
    clusterCIDRs: ["fd00:10:244::/56"],
    clusterCIDR: "fd00:10:244::/56",
  };
  assertEquals(between(six, "worker-1", "worker-2").length, 2);
  // One for all: as the first node has it.
  assertEquals(between(lab, "worker-1", "worker-2"), ["worker-1: table"]);
});
