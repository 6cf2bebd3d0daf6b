/** BGP between the nodes: which files are right, what is said of those that are not, and who has a session with whom. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { mistakes, parse, refusedWith, small } from "./cluster_file_testing.ts";
import { reflectorsOf, sessionsOf } from "./bgp_sessions.ts";

const bgp = (await Deno.readTextFile(
  new URL("../../config/lab-two-segments.yaml", import.meta.url),
)).replace("routes: vxlan", "routes: bgp")
  .replace(/^vxlan:\n( {2}.*\n)+/m, "");

/** The sessions of a node, a line each. */
function sessions(text: string, at: number): readonly string[] {
  const cluster = parse(text);
  const node = cluster.nodes[at];
  assert(node);
  return sessionsOf(cluster, node).map((one) =>
    `${one.name} ${one.local} ${one.address} ${one.as}` +
    (one.near ? " near" : "") + (one.client ? " client" : "")
  );
}

/** A file with so many workers. */
function withWorkers(count: number, lines = ""): string {
  const more = Array.from(
    { length: count },
    (_, at) => `  - name: node-${at}\n    address: 10.0.1.${100 + at}\n`,
  );
  return small.replace("nodes:", `routes: bgp\n${lines}nodes:`) + more.join("");
}

Deno.test("on two segments each node has a session with each other, and with the router on its own segment", () => {
  assertEquals(sessions(bgp, 1), [
    "to-master 10.0.1.11 10.0.1.10 64512 near",
    "to-worker-2 10.0.1.11 10.0.2.12 64512",
    "peer:10.0.1.2 10.0.1.11 10.0.1.2 64513 near",
  ]);
  assertEquals(sessions(bgp, 2), [
    "to-master 10.0.2.12 10.0.1.10 64512",
    "to-worker-1 10.0.2.12 10.0.1.11 64512",
    "peer:10.0.2.1 10.0.2.12 10.0.2.1 64513 near",
  ]);
});

Deno.test("up to 20 nodes all have sessions with each other; of more, the control plane reflects, or who is named", () => {
  assertEquals(reflectorsOf(parse(withWorkers(18))), []);
  assertEquals(sessions(withWorkers(18), 1).length, 19);
  const many = withWorkers(19);
  assertEquals(reflectorsOf(parse(many)), ["master"]);
  assertEquals(sessions(many, 1), [
    "to-master 10.0.1.11 10.0.1.10 64512 near",
  ]);
  const [first] = sessions(many, 0);
  assertEquals(first, "to-worker-1 10.0.1.10 10.0.1.11 64512 near client");
  const named = withWorkers(3, "bgp: {reflectors: [worker-1, node-0]}\n");
  assertEquals(sessions(named, 1), [
    "to-master 10.0.1.11 10.0.1.10 64512 near client",
    "to-node-0 10.0.1.11 10.0.1.100 64512 near",
    "to-node-1 10.0.1.11 10.0.1.101 64512 near client",
    "to-node-2 10.0.1.11 10.0.1.102 64512 near client",
  ]);
  assertEquals(sessions(named, 0).length, 2);
});

Deno.test("what bird could not call a session is made shorter", () => {
  const long = "n".repeat(63);
  const [name = ""] = sessions(
    withWorkers(0).replace("name: worker-1", `name: ${long}`),
    0,
  );
  assertEquals(/^(\S+)/.exec(name)?.[1]?.length, 62);
});

Deno.test("sessions that cannot be are told in a line", () => {
  const number = "is not a whole number from 1 to 4294967294";
  for (
    const [line, expected] of [
      ["{as: 0}", `bgp.as: 0 ${number}`],
      ["{as: 4294967295}", `bgp.as: 4294967295 ${number}`],
      ["{as: internet}", `bgp.as: internet ${number}`],
      [
        "{as: 23456}",
        "bgp.as: 23456 is reserved, no autonomous system has it; expected another, e.g. 64512",
      ],
      [
        "{reflectors: worker-9}",
        "bgp.reflectors: worker-9 is no node; expected one of master, worker-1",
      ],
      [
        "{reflectors: []}",
        'bgp.reflectors: [] is empty; expected at least one: a name of a-z, 0-9, "-" and "." ' +
        "inside, 63 characters at most, in quotes if it looks like a number",
      ],
      [
        "{reflectors: [master, master]}",
        "bgp.reflectors[1]: master is there twice; expected it once",
      ],
      [
        "{peers: [{address: router, as: 64513}]}",
        "bgp.peers[0].address: router is not an IPv4 address; expected e.g. 10.0.1.11",
      ],
      [
        "{peers: [{address: 10.0.1.11, as: 64513}]}",
        "bgp.peers[0].address: 10.0.1.11 is the address of worker-1; expected a router's, " +
        "for the nodes know each other already",
      ],
      [
        "{peers: [{address: 'fd00::1', as: 64513}]}",
        "bgp.peers[0].address: fd00::1 is IPv6, and master has no such address; " +
        "expected one of a family that all nodes have",
      ],
      [
        "{peers: [{address: 10.0.1.2, as: 1}, {address: 10.0.1.2, as: 2}]}",
        "bgp.peers[1].address: 10.0.1.2 is there twice (bgp.peers[0]); expected it once",
      ],
      [
        "{peers: [{address: 10.244.1.1, as: 64513}]}",
        "bgp.peers[0].address: 10.244.1.1 is of the pod network (10.244.0.0/16); " +
        "expected a router's address",
      ],
      [
        "{peers: [{address: 127.0.0.1, as: 64513}]}",
        "bgp.peers[0].address: 127.0.0.1 is each machine's own address; expected a router's address",
      ],
      [
        "{peers: [{address: 224.0.0.5, as: 64513}]}",
        "bgp.peers[0].address: 224.0.0.5 is no single machine's address; " +
        "expected a router's address",
      ],
      [
        "{as: 65535}",
        "bgp.as: 65535 is reserved, no autonomous system has it; expected another, e.g. 64512",
      ],
      ["{as: 1.5}", `bgp.as: 1.5 ${number}`],
      ['{as: "64512"}', `bgp.as: "64512" ${number}`],
      [
        "{passwordFile: password}",
        "bgp.passwordFile: password is no file's absolute path; expected one that begins with / or ~/",
      ],
    ] as const
  ) refusedWith(`routes: bgp\nbgp: ${line}`, `c.yaml:4: ${expected}`);
  refusedWith(
    "bgp: {as: 64512}",
    "c.yaml:3: bgp: is for routes: bgp; this file has no key routes, which means routes: host",
  );
  const [line] = mistakes(bgp.replace("routes: bgp", "routes: bgp\nvxlan: {}"));
  assert(line?.includes("vxlan: is for routes: vxlan"), line);
});
