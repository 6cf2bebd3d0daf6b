/** What bird said of its sessions, as Debian's 2.0.12 prints it, read without a lab. */
// @ts-types="../../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { ClusterNode } from "../../cluster/cluster.ts";
import { twoSegmentsCluster } from "../../cluster/cluster_testing.ts";
import { confDigest, nodeConf } from "../../bgp/bird_conf.ts";
import { cmd } from "../../exec/command.ts";
import { run } from "../../exec/run.ts";
import type { Asked } from "../../node/batch.ts";
import { readSessions } from "../../bgp/seen_sessions.ts";
import { readRefused } from "./announced_fault.ts";
import { remedyLine } from "../remedy.ts";
import { bgpQuestion } from "./answer.ts";
import { bgpFaultBetween, bgpFaults } from "./bgp.ts";

const cluster = {
  ...twoSegmentsCluster({ name: "lab-two", stateDir: "/state/lab-two" }),
  file: "/c.yaml",
  routes: "bgp" as const,
  bgp: {
    as: 64_512,
    peers: [{ address: "10.0.1.2", as: 64_513 }],
  },
};
const [, worker] = cluster.nodes;
assert(worker);

const sessions = `BIRD 2.0.12 ready.
Access restricted
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     11:35:53.056  

to-master  BGP        ---        up     11:35:53.869  Established   
  BGP state:          Established
    Neighbor address: 10.0.1.10
  Channel ipv4
    State:          UP

to-worker-2 BGP        ---        start  11:35:55.437  Connect       
  BGP state:          Connect
    Neighbor address: 10.0.2.12

peer:10.0.1.2 BGP        ---        start  11:36:05.012  Idle          BGP Error: Bad peer AS
  BGP state:          Idle
    Neighbor address: 10.0.1.2
    Last error:       BGP Error: Bad peer AS
`;

const filtered = `BIRD 2.0.12 ready.
Access restricted
Table master4:
0.0.0.0/0            unicast [to-worker-2 11:35:55.777 from 10.0.2.12] (100/?) [i]
	via 10.0.1.2 on eth0
192.0.2.0/24         unicast [to-worker-2 11:35:55.777 from 10.0.2.12] * (100/?) [i]
	via 10.0.1.2 on eth0
10.244.1.0/24        unicast [to-worker-2 11:35:55.777 from 10.0.2.12] (100/?) [i]
	via 10.0.1.2 on eth0
`;

const own = nodeConf(cluster, worker);

/** The answer of bgp.sh on worker-1, in its kinds of lines. */
function answer(
  { session = sessions, filtered = "", conf = own, ...kinds }: Partial<
    Record<
      | "session"
      | "filtered"
      | "conf"
      | "loaded"
      | "rule"
      | "nft"
      | "md5"
      | "log"
      | "bird"
      | "parse"
      | "password"
      | "program"
      | "unread"
      | "route",
      string
    >
  >,
): Asked {
  const loaded = confDigest(own);
  const all = { session, filtered, conf, loaded, ...kinds };
  const stdout =
    Object.entries(all).flatMap(([kind, text]) =>
      text.split("\n").map((line) => `${kind} ${line}\n`)
    ).join("") + "end\n";
  return {
    where: "worker-1",
    command: cmd`sh`,
    outcome: { code: 0, stdout, stderr: "" },
  };
}

const up = sessions.replace(/^to-worker-2[^]*$/m, "") +
  ["to-worker-2", "peer:10.0.1.2"].map((name) =>
    `${name} BGP        ---        up     11:35:53.869  Established   \n` +
    "  BGP state:          Established\n"
  ).join("");

/** The session with worker-2 down, the others up. */
function down(state: string, error = ""): string {
  return up.replace(
    /^(to-worker-2 .*)up (.*)Established.*\n.*$/m,
    `$1start $2${state}       ${error}\n  BGP state:          ${state}\n` +
      (error === "" ? "" : `    Last error:       ${error}\n`),
  );
}

function faults(asked: Asked) {
  assert(worker);
  return bgpFaults(cluster, worker, asked);
}

function told(asked: Asked): readonly string[] {
  return faults(asked).map(({ cause }) => cause.what);
}

/** What mends the first fault, a line each. */
function mended(asked: Asked): readonly string[] {
  return faults(asked)[0]?.cause.remedies
    .map((remedy) => remedyLine(remedy, cluster)) ?? [];
}

const withWorker2 = "the BGP session of worker-1 with worker-2 is down";

Deno.test("bird's sessions are read with their state and its word for why", () => {
  assertEquals(readSessions(sessions), [
    { name: "to-master", state: "Established" },
    { name: "to-worker-2", state: "Connect" },
    {
      name: "peer:10.0.1.2",
      state: "Idle",
      error: "BGP Error: Bad peer AS",
    },
  ]);
});

Deno.test("routes that were not taken are read with the session that brought them", () => {
  const session = "to-worker-2";
  assertEquals(readRefused(filtered), [
    { to: "0.0.0.0/0", session },
    { to: "192.0.2.0/24", session },
    { to: "10.244.1.0/24", session },
  ]);
});

Deno.test("where all sessions are up and all is as stage 08 left it, nothing is told", () => {
  assertEquals(told(answer({ session: up })), []);
});

Deno.test("a session that is down is named with bird's word, what it means, and what mends it", () => {
  const far = 'make 08-routes CLUSTER=/c.yaml ARGS="--node worker-2"';
  const here = far.replace("worker-2", "worker-1");
  const all = "make 08-routes CLUSTER=/c.yaml";
  const pass = "let TCP port 179 pass between 10.0.1.11 and 10.0.2.12, both " +
    "ways";
  const look = "make doctor CLUSTER=/c.yaml";
  const nft = "inet mine in 3 ip saddr 10.0.2.12 tcp dport 179 drop";
  const rule =
    "iptables -A INPUT -s 10.0.2.12/32 -p tcp -m tcp --dport 179 -j DROP";
  const log =
    "2026-11-27 13:37:29.586 <RMT> to-worker-2: Error: Bad peer AS: 64600";
  const onNode = (line: string) =>
    `make shell CLUSTER=/c.yaml NODE=worker-1 ARGS="-- ${line}"`;
  for (
    const [asked, means, ...mends] of [
      [
        { session: down("Idle", "BGP Error: Bad peer AS"), log },
        "bird says BGP Error: Bad peer AS): the other end says that it is AS 64600, and 64512 is expected",
        far,
      ],
      [
        { session: down("Idle", "Received: Bad peer AS") },
        "bird says Received: Bad peer AS): the other end expects another autonomous system than 64512 here",
        far,
      ],
      [
        { session: down("Active", "Socket: Connection refused") },
        "bird says Socket: Connection refused): no bird runs at the other end (10.0.2.12)",
        far,
      ],
      [
        { session: down("Idle", "Received: Administrative shutdown") },
        "bird says Received: Administrative shutdown): the other end has ended it",
        far,
      ],
      [
        { session: down("Connect"), md5: "2" },
        "bird says Connect): the passwords differ: the kernel of worker-1 refuses segments",
        all,
      ],
      [
        { session: down("Connect"), md5: "0" },
        "bird says Connect): nothing comes back: TCP port 179 is dropped between the two",
        pass,
        look,
      ],
      [
        { session: down("OpenSent", "BGP Error: Hold timer expired") },
        "bird says BGP Error: Hold timer expired): the other end takes the connection and says nothing",
        far,
      ],
      [
        { session: down("Active", "BGP Error: Hold timer expired") },
        "bird says BGP Error: Hold timer expired): the other end has fallen silent",
        far,
        pass,
        look,
      ],
      [
        { session: down("Idle", "Socket: Connection reset by peer") },
        "bird says Socket: Connection reset by peer): the other end hung up",
        far,
      ],
      [
        {
          session: up.replace(
            /^(to-worker-2 .*)up (.*)Established.*\n.*$/m,
            "$1down $2",
          ),
        },
        "bird says down): it was switched off (birdc disable)",
        here,
      ],
      [
        { session: up.replace(/^to-worker-2.*\n.*\n/m, "") },
        "bird has no such session): it has not read its configuration",
        here,
      ],
      [
        { session: down("Connect"), rule },
        `bird says Connect): worker-1 drops what is for BGP's port 179: ${rule}`,
        onNode(rule.replace("-A", "-w -D")),
      ],
      [
        { session: down("Connect"), nft },
        "bird says Connect): worker-1 drops what is for BGP's port 179: nft inet mine in: ip saddr",
        onNode("nft delete rule inet mine in handle 3"),
      ],
      [
        {
          session: down("Idle", "Received: Bad peer AS"),
          conf: own.replace("as 64512", "as 64600"),
        },
        "bird says Received: Bad peer AS): /etc/bird/bird.conf of worker-1 is not what stage 08 writes: line ",
        here,
      ],
    ] as const
  ) {
    const [first = "nothing", ...more] = told(answer(asked));
    assertStringIncludes(first, `${withWorker2} (${means}`);
    assertEquals(more, [], means);
    assertEquals(mended(answer(asked)), mends, means);
  }
});

/** These sessions down in one state, the others up. */
function allDown(names: readonly string[], state: string): string {
  return names.reduce(
    (text, name) =>
      text.replace(
        new RegExp(`^(${name} .*)up (.*)Established.*\\n.*$`, "m"),
        `$1start $2${state}       \n  BGP state:          ${state}`,
      ),
    up,
  );
}

Deno.test("one cause of many sessions that are down is told once, with a few of the far ends by name", () => {
  const all = ["to-master", "to-worker-2", "peer:10.0.1.2"];
  const ends = "master, worker-2, the router 10.0.1.2";
  const conf = own.replaceAll("as 64512", "as 64600");
  const here = 'make 08-routes CLUSTER=/c.yaml ARGS="--node worker-1"';
  const rule = "iptables -A INPUT -p tcp -m tcp --dport 179 -j DROP";
  for (
    const [asked, means, ...mends] of [
      [{ session: allDown(all, "Connect"), conf }, "line 45 is", here],
      [
        { session: allDown(all, "Connect"), rule },
        "worker-1 drops what is for BGP's port 179",
        `make shell CLUSTER=/c.yaml NODE=worker-1 ARGS="-- ${
          rule.replace("-A", "-w -D")
        }"`,
      ],
      [
        { session: allDown(all, "Connect"), md5: "2" },
        "the passwords differ",
        "make 08-routes CLUSTER=/c.yaml",
      ],
      [
        { session: allDown(all, "Connect"), md5: "0" },
        "nothing comes back",
        "let TCP port 179 pass between 10.0.1.11 and 10.0.1.10, 10.0.2.12, 10.0.1.2, both ways",
        "make doctor CLUSTER=/c.yaml",
      ],
    ] as const
  ) {
    const [fault, ...more] = faults(answer(asked));
    assertEquals(more, [], means);
    const { what = "", evidence = [] } = fault?.cause ?? {};
    const says = `the BGP sessions of worker-1 with ${ends} are down (bird ` +
      "says Connect): ";
    assertStringIncludes(what, says);
    assertStringIncludes(what, means);
    assertEquals(evidence[0]?.printed.split("\n").length, 3);
    assertEquals(mended(answer(asked)), mends);
  }
  // Each far end has a cause of its own.
  const [one, other, ...rest] = told(answer({
    session: allDown(["to-master", "to-worker-2"], "OpenSent"),
  }));
  assertStringIncludes(one ?? "", "with master is down");
  assertStringIncludes(other ?? "", "with worker-2 is down");
  assertEquals(rest, []);
});

Deno.test("of many far ends a few are named, and their number", () => {
  const names = Array.from({ length: 18 }, (_, at) => `worker-${at + 1}`);
  const many = {
    ...cluster,
    bgp: { as: 64_512, peers: [] },
    nodes: names.map((name, at): ClusterNode => ({
      ...worker,
      name,
      address: `10.0.1.${at + 11}`,
      addresses: [`10.0.1.${at + 11}`],
      podCIDRs: [`10.244.${at + 1}.0/24`],
    })),
  };
  const [first] = many.nodes;
  assert(first);
  const session = "Name       Proto\n" +
    names.slice(1).map((name) =>
      `to-${name} BGP        ---        start  11:35:55.437  Connect       \n` +
      "  BGP state:          Connect\n"
    ).join("");
  const conf = nodeConf(many, first);
  const told = (kinds: Parameters<typeof answer>[0]) =>
    bgpFaults(many, first, answer(kinds)).map(({ cause }) => cause);
  const loaded = confDigest(conf);
  const [cause, ...more] = told({ session, conf, loaded, md5: "0" });
  assertEquals(more, []);
  assertStringIncludes(
    cause?.what ?? "",
    "with worker-2, worker-3, worker-4 and 14 more are down (bird says Connect): ",
  );
  assertEquals(
    cause?.evidence[0]?.printed.split("\n").slice(-1),
    ["… 5 lines more"],
  );
  assertEquals(
    cause?.remedies.map((remedy) => remedyLine(remedy, cluster))[0],
    "let TCP port 179 pass between 10.0.1.11 and 10.0.1.12, 10.0.1.13, 10.0.1.14 and 14 more, both ways",
  );
  const [refused] = told({
    session: session.replaceAll(
      "state:          Connect",
      "$&\n    Last error:       Socket: No route to host",
    ),
    conf,
    loaded,
  });
  assertEquals(
    refused?.remedies.map((remedy) => remedyLine(remedy, cluster)),
    ["make 08-routes CLUSTER=/c.yaml"],
  );
});

Deno.test("an external router's session is named with what is to be done there; a lab's router is stage 08's", () => {
  const session = up.replace(
    /^(peer:\S+ .*)up (.*)Established.*\n.*$/m,
    "$1start $2Idle\n  BGP state:          Idle\n    Last error:       BGP Error: Bad peer AS\n",
  );
  const log =
    "2026-11-27 13:37:29.586 <RMT> peer:10.0.1.2: Error: Bad peer AS: 64999";
  const asked = answer({ session, log });
  assertEquals(told(asked), [
    "the BGP session of worker-1 with the router 10.0.1.2 is down (bird says BGP Error: Bad " +
    "peer AS): the other end says that it is AS 64999, and 64513 is expected",
  ]);
  assertEquals(mended(asked), ["make 08-routes CLUSTER=/c.yaml"]);
  const { segments: _, ...external } = cluster;
  assert(worker);
  const conf = nodeConf(external, worker);
  const [fault] = bgpFaults(external, worker, answer({ session, log, conf }));
  assertEquals(
    fault?.cause.remedies.map((remedy) => remedyLine(remedy, external)),
    [
      "on the router 10.0.1.2: let it be AS 64513, or give 10.0.1.2 its own number in " +
      "bgp.peers of /c.yaml",
      "make 08-routes CLUSTER=/c.yaml",
    ],
  );
});

Deno.test("what keeps bird itself from its sessions is named before any session", () => {
  const silent = "Unable to connect to server control socket " +
    "(/run/bird/bird.ctl): No such file or directory";
  const command = "bird -c /etc/bird/bird.conf -u bird -g bird";
  for (
    const [asked, means] of [
      [
        { session: silent },
        "bird does not run on worker-1, so no node tells it",
      ],
      [
        { session: silent, bird: `mute 26458 ${command}` },
        "bird runs on worker-1 (process 26458), and nothing answers at the socket",
      ],
      [
        {
          session: silent,
          parse:
            "bird: /etc/bird/bird.conf:143:1 syntax error, unexpected CF_SYM_UNDEFINED",
        },
        "bird does not run on worker-1, and could not: bird: /etc/bird/bird.conf:143:1 syntax error",
      ],
      [
        { session: silent, program: "absent" },
        "bird is not installed on worker-1",
      ],
      [{ conf: "# mine" }, "bird.conf of worker-1 is not ours"],
      [
        { bird: `answers 8186 ${command}\nmute 14561 bird -s /tmp/other.ctl` },
        "2 birds run on worker-1; one of them (process 14561: bird -s /tmp/other.ctl)",
      ],
    ] as const
  ) {
    const [first = "nothing", ...more] = told(answer(asked));
    assertStringIncludes(first, means);
    assertEquals(more, [], means);
  }
});

Deno.test("what is no longer as stage 08 left it is named, though all sessions are up", () => {
  for (
    const [asked, means] of [
      [
        { conf: own.replace("scan time 10", "scan time 60") },
        '"protocol device { scan time 60; }", and not "protocol device { scan time 10; }"',
      ],
      [{ conf: "absent" }, "/etc/bird/bird.conf of worker-1 is gone"],
      [{ unread: "conf" }, "has not read /etc/bird/bird.conf as it is now"],
    ] as const
  ) {
    const [first = "nothing"] = told(answer({ session: up, ...asked }));
    assertStringIncludes(first, means);
  }
});

Deno.test("what a node announces and must not is named, by whom and whose it is", () => {
  const [words = ""] = told(answer({ session: up, filtered }));
  assertEquals(
    words,
    "worker-2 announces 10.244.1.0/24, which is worker-1's podCIDR, as worker-1 does; a " +
      "default route (0.0.0.0/0); 192.0.2.0/24, which is not of the pod network " +
      "(10.244.0.0/16, fd00:10:244::/56): worker-1 does not take that",
  );
  const parts = filtered.replace("10.244.1.0/24 ", "10.244.0.7/32 ")
    .replace("192.0.2.0/24 ", "10.244.77.0/24 ")
    .replace("0.0.0.0/0  ", "10.244.2.128/25");
  const [other = ""] = told(answer({ session: up, filtered: parts }));
  for (
    const part of [
      "10.244.0.7/32, which is a part of master's podCIDR",
      "10.244.77.0/24, which is of the pod network and no node's podCIDR",
      "10.244.2.128/25, a part of its podCIDR and not all of it",
    ]
  ) assertStringIncludes(other, part);
});

Deno.test("where a node's podCIDR has changed, what is not up to date is told, and not the node that announces it", () => {
  const moved = {
    ...cluster,
    nodes: cluster.nodes.map((node) =>
      node.name === "worker-2"
        ? { ...node, podCIDRs: ["10.244.9.0/24", "fd00:10:244:2::/64"] }
        : node
    ),
  };
  const refused = "10.244.9.0/24 unicast [to-worker-2 11:35:55] * (100) [i]";
  assert(worker);
  const asked = answer({ session: up, filtered: refused });
  const told = bgpFaults(moved, worker, asked)
    .map(({ cause }) => cause.what.replace(/line \d+/, "line N"));
  assertEquals(told, [
    "/etc/bird/bird.conf of worker-1 is not what stage 08 writes: line N is " +
    '"import where net = 10.244.2.0/24;", and not "import where net = 10.244.9.0/24;"',
  ]);
});

Deno.test("of a thousand routes that a router announces a few are told, what harms most first", () => {
  const many = Array.from(
    { length: 1000 },
    (_, at) =>
      `172.16.${at >> 8}.${
        at & 255
      }/32 unicast [peer:10.0.1.2 11:35:55] (100/?) [AS64513i]`,
  );
  const worst = ["0.0.0.0/0", "10.244.1.0/24"].map((to) =>
    `${to} unicast [peer:10.0.1.2 11:35:55] (100/?) [AS64513i]`
  );
  const filtered = [...many, ...worst].join("\n");
  const { segments: _, ...external } = cluster;
  assert(worker);
  const conf = nodeConf(external, worker);
  const loaded = confDigest(conf);
  const [fault, ...more] = bgpFaults(
    external,
    worker,
    answer({ session: up, filtered, conf, loaded }),
  );
  assert(fault);
  assertEquals(more, []);
  const { what, evidence, remedies } = fault.cause;
  assertStringIncludes(
    what,
    "the router 10.0.1.2 announces 10.244.1.0/24, which is worker-1's podCIDR, as " +
      "worker-1 does; a default route (0.0.0.0/0); 172.16.0.0/32, which is not of",
  );
  assertStringIncludes(what, "; and 998 more: worker-1 does not take that");
  const lines = evidence[0]?.printed.split("\n");
  assertEquals(lines?.length, 13);
  assertEquals(lines?.at(-1), "… 990 lines more");
  assertEquals(remedies.map((remedy) => remedyLine(remedy, external)), [
    "on the router 10.0.1.2: no longer announce 10.244.1.0/24, 0.0.0.0/0, " +
    "172.16.0.0/32 and 999 more",
  ]);
});

Deno.test("between two nodes, what is surer comes first, and a session that neither way needs does not count", () => {
  const [, , far] = cluster.nodes;
  assert(far && worker);
  const between = (one: Asked, other?: Asked) =>
    bgpFaultBetween(cluster, [[worker, one], [far, other]])?.what ?? "nothing";
  const guess = answer({ session: down("Connect") });
  assertStringIncludes(between(guess), withWorker2);
  const silent = answer({ session: "Unable to connect" });
  assertStringIncludes(between(guess, silent), "bird does not run on worker-2");
  const known = answer({
    session: down("Connect"),
    route: "10.244.2.0/24 via 10.0.1.2 dev eth0 proto bird metric 32\n" +
      "fd00:10:244:2::/64 via fd00:10:0:1::2 dev eth0 proto bird metric 32",
  });
  assertEquals(between(known), "nothing");
  const [master] = cluster.nodes;
  assert(master);
  // The router is not between two nodes of one segment.
  assertEquals(
    bgpFaultBetween(cluster, [[worker, answer({})], [master, undefined]]),
    undefined,
  );
});

Deno.test("the package's example is nobody's configuration", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [conf, example] = [`${folder}/bird.conf`, `${folder}/example`];
    const question = bgpQuestion(cluster);
    assert(question);
    const heads = async () => {
      const { stdout } = await run(
        cmd`${question.argv.slice(0, 4)} ${conf} ${example}`,
      );
      return stdout.match(/^conf .*$/gm);
    };
    await Deno.writeTextFile(example, "# An example\nrouter id 1.1.1.1;\n");
    assertEquals(await heads(), ["conf absent"]);
    await Deno.copyFile(example, conf);
    assertEquals(await heads(), ["conf absent"]);
    await Deno.writeTextFile(conf, "# An example\nrouter id 2.2.2.2;\n");
    assertEquals((await heads())?.[0], "conf # An example");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
