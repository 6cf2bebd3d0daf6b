// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { SeenPacket, TraceEvent } from "./nft_events.ts";
import type { Place } from "./endpoints.ts";
import { walk, type Way } from "./packet_path.ts";
import type { Heard } from "./passages.ts";

const pod = (name: string) => ({
  name,
  sandbox: `/run/netns/${name}`,
  links: [],
  routes: [],
  counters: new Map(),
  serving: true,
});
const shell: Place = { machine: "one", pod: pod("shell") };
const one: Place = { machine: "one" };
const middle: Place = { machine: "middle" };
const two: Place = { machine: "two" };
const web: Place = { machine: "two", pod: pod("web") };

const packet: SeenPacket = {
  source: "10.244.1.2",
  destination: "10.244.2.3",
  what: { protocol: "icmp", type: "request", id: 7 },
};

/** What a hook of our own table tells of the packet. */
function seen(chain: string, more: Partial<SeenPacket> = {}): TraceEvent {
  return {
    table: "inet deno-cni-trace",
    chain,
    packet: { ...packet, ...more },
    met: { is: "chain" },
  };
}

function rule(table: string, chain: string, verdict: string): TraceEvent {
  return {
    table,
    chain,
    packet: { ...packet, in: "cni0", out: "eth0" },
    met: { is: "rule", text: "…", handle: 2, verdict },
  };
}

const sends = [seen("output", { out: "eth0" }), seen("postrouting")];
const forwards = [
  seen("prerouting", { in: "cni0" }),
  rule("ip filter", "FORWARD", "accept"),
  seen("forward", { in: "cni0", out: "eth0" }),
  seen("postrouting", { in: "cni0", out: "eth0" }),
];
const takes = [seen("prerouting"), seen("input")];

const heard = (place: Place, events: readonly TraceEvent[]): Heard => ({
  place,
  events,
});
const wanted = { sending: { id: 7 }, direction: "there" } as const;
const closed = { begin: false, end: false };

/** Where a way ends. */
function end({ passages, stop }: Way): string {
  const at = passages.map(({ place: { machine, pod } }) => pod?.name ?? machine)
    .join(" ");
  return stop === undefined ? at : `${at}: ${stop.is}`;
}

Deno.test("a packet that is taken at its end has no stop", () => {
  const way = walk(
    [
      heard(shell, sends),
      heard(one, forwards),
      heard(two, forwards),
      heard(web, takes),
    ],
    wanted,
    closed,
  );
  assertEquals(end(way), "shell one two web");
  assertEquals(way.passages[1]?.met.map(({ hook }) => hook), ["forward"]);
});

Deno.test("a machine that a route only might go by is left out when nothing comes there", () => {
  const way = walk(
    [
      heard(shell, sends),
      heard(one, forwards),
      { ...heard(middle, []), aside: true },
      heard(two, forwards),
      heard(web, takes),
    ],
    wanted,
    closed,
  );
  assertEquals(end(way), "shell one two web");
});

/** A packet that a machine sends on, from one TTL to the next. */
const routes = (ttl: number) => [
  seen("prerouting", { ttl }),
  seen("forward", { ttl: ttl - 1 }),
  seen("postrouting", { ttl: ttl - 1 }),
];

Deno.test("the TTL tells which way a packet took, by machines that no route promised", () => {
  const way = walk(
    [
      heard(shell, [seen("output", { ttl: 64 })]),
      // Another pod of the node was the gateway: the packet came by the node twice.
      heard(one, [
        seen("prerouting", { ttl: 64 }),
        seen("forward", { ttl: 64 }),
        seen("postrouting", { ttl: 64 }),
        ...routes(63),
      ]),
      {
        ...heard({ machine: "one", pod: pod("other") }, routes(64)),
        aside: true,
      },
      { ...heard(middle, routes(62)), aside: true },
      heard(two, routes(61)),
      heard(web, [seen("prerouting", { ttl: 60 }), seen("input", { ttl: 60 })]),
    ],
    wanted,
    closed,
  );
  assertEquals(end(way), "shell one other one middle two web");
});

Deno.test("a packet that goes in a circle ends where its TTL does", () => {
  const way = walk(
    [
      heard(shell, [seen("output", { ttl: 4 })]),
      heard(one, [...routes(4), ...routes(2)]),
      heard(two, [...routes(3), seen("prerouting", { ttl: 1 })]),
      heard(web, []),
    ],
    wanted,
    closed,
  );
  assertEquals(end(way), "shell one two one two: unrouted");
});

Deno.test("what a rule changed, and the mark that a route is chosen by, are kept", () => {
  const notrack: TraceEvent = {
    ...rule("ip raw", "PREROUTING", "continue"),
    packet: { ...packet, in: "cni0" },
    met: { is: "rule", text: "meta l4proto icmp notrack", verdict: "continue" },
  };
  const mangle: TraceEvent = {
    ...notrack,
    table: "ip mangle",
    mark: 7,
    met: { is: "policy", verdict: "accept" },
  };
  const way = walk(
    [heard(one, [forwards[0]!, notrack, mangle, ...forwards.slice(2)])],
    wanted,
    { begin: true, end: true },
  );
  const [passage] = way.passages;
  assertEquals(passage?.mark, 7);
  assertEquals(passage?.changed.map(({ hook }) => hook), ["prerouting"]);
});

Deno.test("each way to end early is told apart", () => {
  const ways: readonly [string, readonly Heard[]][] = [
    [": unsent", [heard(shell, []), heard(one, [])]],
    ["shell: lost", [heard(shell, sends), heard(one, []), heard(web, [])]],
    ["shell one: unrouted", [
      heard(shell, sends),
      heard(one, [seen("prerouting")]),
      heard(web, []),
    ]],
    ["shell one: taken", [
      heard(shell, sends),
      heard(one, takes),
      heard(web, []),
    ]],
    ["shell one: dropped", [
      heard(shell, sends),
      heard(one, [seen("prerouting"), rule("ip filter", "FORWARD", "drop")]),
      heard(web, []),
    ]],
    ["shell one: lost", [
      heard(shell, sends),
      heard(one, forwards),
      heard(two, []),
      heard(web, []),
    ]],
  ];
  for (const [expected, all] of ways) {
    assertEquals(end(walk(all, wanted, closed)), expected);
  }
});

Deno.test("rules behind our last chain of a hook belong to the next hook", () => {
  const nat = rule("ip nat", "POSTROUTING", "accept");
  const way = walk(
    [
      heard(shell, sends),
      heard(one, [...forwards.slice(0, 3), nat, forwards[3]!]),
      heard(web, takes),
    ],
    wanted,
    closed,
  );
  assertEquals(way.passages[1]?.met.map(({ hook }) => hook), [
    "forward",
    "postrouting",
  ]);
});

Deno.test("where nobody listens beyond, a packet that left is not lost", () => {
  const all = [heard(shell, sends), heard(one, forwards)];
  assertEquals(
    end(walk(all, wanted, { begin: false, end: true })),
    "shell one",
  );
  assertEquals(end(walk(all, wanted, closed)), "shell one: lost");
});

Deno.test("others' pings, and the answer, are not the packet", () => {
  const reply = seen("output", {
    what: { protocol: "icmp", type: "reply", id: 7 },
  });
  const other = seen("output", {
    what: { protocol: "icmp", type: "request", id: 8 },
  });
  assertEquals(
    end(walk([heard(shell, [reply, other])], wanted, closed)),
    ": unsent",
  );
});

Deno.test("a request is known by its server, whatever its source became", () => {
  const server = { protocol: "tcp", address: "10.244.2.3", port: 80 } as const;
  const what = { protocol: "tcp", sport: 4000, dport: 80 } as const;
  const rewritten = seen("output", { what, source: "10.0.1.11" });
  const back = seen("output", {
    what: { protocol: "tcp", sport: 80, dport: 4000 },
    source: server.address,
    destination: "10.0.1.11",
  });
  const all = [heard(one, [rewritten, back])];
  const open = { begin: false, end: true };
  for (const direction of ["there", "back"] as const) {
    const way = walk(all, { sending: { servers: [server] }, direction }, open);
    assertEquals(way.passages.length, 1);
  }
});
