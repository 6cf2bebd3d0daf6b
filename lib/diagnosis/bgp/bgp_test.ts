/** What bird said of its sessions, as Debian's 2.0.12 prints it, read without a lab. */
// @ts-types="../../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { twoSegmentsCluster } from "../../cluster/cluster_testing.ts";
import { confHead } from "../../bgp/bird_conf.ts";
import { cmd } from "../../exec/command.ts";
import type { Asked } from "../../node/batch.ts";
import { readSessions } from "../../bgp/seen_sessions.ts";
import { readRefused } from "./announced_fault.ts";
import { bgpFaultBetween, bgpFaults } from "./bgp.ts";

const cluster = {
  ...twoSegmentsCluster({ name: "lab-two", stateDir: "/state/lab-two" }),
  routes: "bgp" as const,
  bgp: {
    as: 64_512,
    peers: [{ address: "10.0.1.2", as: 64_513 }],
  },
};
const [master, worker] = cluster.nodes;
assert(master && worker);

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

/** The answer of bgp.sh. */
function answer(
  { session = sessions, refused = "", rule = "", head = confHead.trim() },
): Asked {
  const lines = (name: string, text: string) =>
    text.split("\n").filter((line) => line !== "")
      .map((line) => `${name} ${line}\n`).join("");
  const stdout = lines("conf", head) + lines("session", session) +
    lines("filtered", refused) + lines("rule", rule) + "end\n";
  return {
    where: "worker-1",
    command: cmd`sh`,
    outcome: { code: 0, stdout, stderr: "" },
  };
}

function told(asked: Asked): readonly string[] {
  assert(worker);
  return bgpFaults(cluster, worker, asked).map(({ cause }) => cause.what);
}

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

Deno.test("a session that is down is named, with bird's word and what it means", () => {
  assertEquals(told(answer({})), [
    "the BGP session of worker-1 with worker-2 is down (bird says Connect): nothing comes " +
    "back: TCP port 179 is dropped between the two, or the passwords differ",
    "the BGP session of worker-1 with the router 10.0.1.2 is down (bird says Idle, BGP " +
    "Error: Bad peer AS): the two ends do not agree on the number of the autonomous system",
  ]);
  const rule =
    "iptables -A INPUT -s 10.0.2.12/32 -p tcp -m tcp --dport 179 -j DROP";
  const [first = ""] = told(answer({ rule }));
  assertStringIncludes(
    first,
    `worker-1 drops what is for BGP's port 179: ${rule}`,
  );
});

Deno.test("a bird that does not run, and a configuration that is another's, are named before any session", () => {
  const [silent = ""] = told(
    answer({ session: "Unable to connect to server control socket" }),
  );
  assertStringIncludes(silent, "bird does not run on worker-1");
  const [foreign = ""] = told(answer({ head: "# mine" }));
  assertStringIncludes(foreign, "bird.conf of worker-1 is not ours");
});

Deno.test("what a node announces and must not is named", () => {
  const words = told(answer({ refused: filtered })).join("\n");
  for (
    const one of [
      "worker-2 announces a default route (0.0.0.0/0), which worker-1 does not take",
      "worker-2 announces 192.0.2.0/24, which is not of the pod network",
      "worker-2 announces 10.244.1.0/24, which is worker-1's own",
    ]
  ) assertStringIncludes(words, one);
});

Deno.test("between two nodes, a session of theirs is the cause before a router's, and a bird that does not run before both", () => {
  const far = cluster.nodes[2];
  assert(far && worker);
  const cause = bgpFaultBetween(cluster, [[worker, answer({})], [
    far,
    undefined,
  ]]);
  assertStringIncludes(cause?.what ?? "none", "with worker-2 is down");
  const silent = answer({ session: "Unable to connect" });
  const other = bgpFaultBetween(cluster, [[worker, answer({})], [far, silent]]);
  assertStringIncludes(other?.what ?? "none", "bird does not run on worker-2");
});
