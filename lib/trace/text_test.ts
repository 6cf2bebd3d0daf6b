// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isWell, type TraceHop, type TraceReport } from "./report.ts";
import { traceText } from "./text.ts";

const addresses = { source: "10.244.1.2", destination: "10.244.2.3" };
const hops: readonly TraceHop[] = [{
  direction: "there",
  node: "worker-1",
  pod: "shell",
  place: "output",
  link: "eth0",
  ...addresses,
  outcome: "SENT",
  by: [{ kind: "route", text: "default via 10.244.1.1 dev eth0" }],
}, {
  direction: "there",
  node: "worker-1",
  place: "prerouting",
  link: "cni0",
  ...addresses,
  outcome: "RECEIVED",
  by: [],
}, {
  direction: "there",
  node: "worker-1",
  place: "postrouting",
  link: "eth0",
  ...addresses,
  outcome: "REWRITTEN",
  after: { ...addresses, source: "10.0.1.11" },
  by: [{
    kind: "rule",
    text:
      "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -m comment --comment deno-cni -j MASQUERADE",
    stage: "07-masquerade",
  }],
}, {
  direction: "there",
  node: "worker-1",
  place: "segment",
  link: "eth0",
  ...addresses,
  outcome: "DROPPED",
  by: [{
    kind: "neighbour",
    text: "nobody answers ARP for 10.0.1.12 on eth0 (FAILED)",
  }],
}];

const report: TraceReport = {
  version: 1,
  cluster: "lab",
  family: 4,
  from: { node: "worker-1", pod: "shell", address: "10.244.1.2" },
  to: { node: "worker-2", pod: "web", address: "10.244.2.3" },
  packets: [{
    kind: "request",
    command: "wget …",
    answered: false,
    said: "no answer",
  }, {
    kind: "ping",
    command: "ping …",
    size_bytes: 84,
    answered: false,
    said: "From 10.244.1.1 icmp_seq=1 Destination Host Unreachable",
  }],
  followed: "request",
  delivered: false,
  hops,
  lastGood: 2,
  cause: {
    kind: "segment",
    on: "worker-2",
    what:
      "eth0, the link of worker-2 to the other nodes, is down; its routes went with it",
    evidence: [{
      where: "worker-2",
      command: "ip -j addr show",
      printed: `{"ifname":"eth0"}`,
    }],
    mend: ['make shell NODE=worker-2 ARGS="-- ip link set dev eth0 up"'],
  },
  remarks: [],
};

Deno.test("a trace that ends early says where, why and what mends it", () => {
  assertEquals(
    traceText(report),
    `worker-1/shell (10.244.1.2) → worker-2/web (10.244.2.3), IPv4: a web request

there
  worker-1/shell  SENT       output eth0       10.244.1.2 → 10.244.2.3
                    route: default via 10.244.1.1 dev eth0
  worker-1        RECEIVED   prerouting cni0   10.244.1.2 → 10.244.2.3
  worker-1        REWRITTEN  postrouting eth0  10.244.1.2 → 10.244.2.3
                    now 10.0.1.11 → 10.244.2.3
                    rule: -A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j
                      MASQUERADE (07-masquerade)
  segment         DROPPED                      10.244.1.2 → 10.244.2.3
                    neighbour: nobody answers ARP for 10.0.1.12 on eth0
                      (FAILED)

web request     no answer
ping, 84 bytes  no answer: From 10.244.1.1 icmp_seq=1 Destination Host
                Unreachable

NOT DELIVERED
last good hop: worker-1, REWRITTEN (postrouting eth0), there
cause: eth0, the link of worker-2 to the other nodes, is down; its routes went
       with it
  worker-2$ ip -j addr show
    {"ifname":"eth0"}
  mend: make shell NODE=worker-2 ARGS="-- ip link set dev eth0 up"`,
  );
});

Deno.test("long addresses have a line of their own, and 80 columns suffice", () => {
  const long = {
    source: "fd00:10:244:1:aaaa:bbbb:cccc:1",
    destination: "fd00:10:244:2:aaaa:bbbb:cccc:2",
  };
  const text = traceText({
    ...report,
    family: 6,
    hops: hops.map((hop) => ({ ...hop, ...long })),
  });
  const widest = Math.max(...text.split("\n").map((line) => [...line].length));
  assert(widest < 80, text);
  assertStringIncludes(text, `\n${" ".repeat(18)}${long.source} →\n`);
});

Deno.test("colour adds to words, and takes none away", () => {
  const coloured = traceText(report, { colour: true });
  assertStringIncludes(coloured, "\x1b[31mDROPPED");
  // deno-lint-ignore no-control-regex
  const plain = coloured.replace(/\x1b\[\d+m/g, "");
  assertEquals(plain, traceText(report));
});

Deno.test("what is delivered and well is told in a line", () => {
  const { cause: _, ...rest } = report;
  const well = { ...rest, delivered: true, lastGood: hops.length - 1 };
  assertStringIncludes(
    traceText(well),
    "DELIVERED, and the answer came back",
  );
  assertStringIncludes(
    traceText({ ...report, delivered: true }),
    "DELIVERED, but not as it should be",
  );
});

Deno.test("of two families the other one is a line where it is well, else told as wholly", () => {
  const { cause: _, ...rest } = report;
  const well: TraceReport = { ...rest, delivered: true };
  const six: TraceReport = {
    ...well,
    family: 6,
    from: { node: "worker-1", pod: "shell", address: "fd00::2" },
    to: { node: "worker-2", pod: "web", address: "fd01::3" },
  };
  const one = traceText(well);
  assertEquals(
    traceText({ ...well, otherFamily: six }).slice(one.length),
    "\nIPv6 too, fd00::2 → fd01::3: DELIVERED, and the answer came back: nothing is\n" +
      "wrong on this path",
  );
  const broken: TraceReport = { ...report, family: 6 };
  assertEquals(
    traceText({ ...well, otherFamily: broken }),
    `${one}\n\n${traceText(broken)}`,
  );
  assertEquals(
    [isWell(well), isWell({ ...well, otherFamily: broken })],
    [true, false],
  );
});
