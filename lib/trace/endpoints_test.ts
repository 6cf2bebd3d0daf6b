// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { show } from "../exec/command.ts";
import { inFamily } from "../cluster/address_family.ts";
import {
  EndError,
  familyFor,
  findEnd,
  listeningPlaces,
  machineOf,
  parseEnd,
} from "./endpoints.ts";
import { type CalledPort, probePackets } from "./probe_packets.ts";
import type { SurveyedMachine } from "./machine_survey.ts";
import { projectRoot } from "../exec/project_root.ts";
import { parseCluster } from "../cluster/load.ts";

const text = await Deno.readTextFile(`${projectRoot}/config/lab-dual.yaml`);
const parsed = parseCluster(text, "config/lab-dual.yaml", "/state");
const dual = {
  ...parsed,
  nodes: parsed.nodes.map((node, at) => ({
    ...node,
    podCIDRs: [`10.244.${at}.0/24`, `fd00:10:244:${at}::/64`],
  })),
};
const cluster = inFamily(dual, 4);

const shell = {
  name: "shell",
  sandbox: "/run/netns/shell",
  links: [{
    ifindex: 2,
    ifname: "eth0",
    flags: ["UP"],
    operstate: "UP",
    mtu: 1500,
    address: "02:00:00:00:00:02",
    addr_info: [
      { local: "10.244.1.2", prefixlen: 24 },
      { local: "fe80::2", prefixlen: 64 },
      { local: "fd00:10:244:1::2", prefixlen: 64 },
    ],
  }],
  routes: [],
  counters: new Map(),
  serving: false,
};
const machine: SurveyedMachine = {
  name: "worker-1",
  links: [],
  routes: [],
  pods: [shell],
  names: ["shell"],
  namespaceNames: new Map(),
  serving: false,
  counters: new Map(),
  programs: [],
};

Deno.test("an end is a pod, a node, the outside or an address", () => {
  const read = (text: string) => parseEnd(text, "--to", cluster);
  assertEquals(read("worker-1/shell"), {
    is: "pod",
    node: "worker-1",
    pod: "shell",
  });
  assertEquals(read("master"), { is: "node", node: "master" });
  assertEquals(read("outside"), { is: "outside" });
  assertEquals(read("10.244.2.3"), { is: "address", address: "10.244.2.3" });
  assertEquals(read("fd00::1"), { is: "address", address: "fd00::1" });
});

Deno.test("what is no end is refused with what is expected", () => {
  const wrong: readonly [string, "--from" | "--to"][] = [
    ["worker-9", "--to"],
    ["worker-1/a/b", "--to"],
    ["worker-1/../x", "--to"],
    ["worker-1/", "--to"],
    ["10.244.2", "--to"],
    ["10.244.1.2", "--from"],
  ];
  for (const [text, flag] of wrong) {
    assertThrows(
      () => parseEnd(text, flag, cluster),
      EndError,
      `${flag} ${text}: expected a pod as NODE/POD`,
    );
  }
});

Deno.test("an address that is no one machine's is refused", () => {
  for (const text of ["127.0.0.1", "::1", "224.0.0.1", "fe80::1", "ff02::1"]) {
    assertThrows(
      () => parseEnd(text, "--to", cluster),
      EndError,
      `--to ${text}: no packet goes to one other machine`,
    );
  }
});

Deno.test("an address chooses its family, and a flag may not contradict it", () => {
  const v6 = { is: "address", address: "fd00::1" } as const;
  const node = { is: "node", node: "master" } as const;
  assertEquals(familyFor(v6, undefined, dual), 6);
  assertEquals(familyFor(node, undefined, dual), 4);
  assertEquals(familyFor(node, 6, dual), 6);
  assertThrows(() => familyFor(v6, 4, dual), EndError, "--family 4");
  assertThrows(() => familyFor(node, 6, cluster), EndError, "has no IPv6");
});

Deno.test("an address is on the node whose podCIDR it is of", () => {
  const at = (address: string) =>
    machineOf({ is: "address", address }, cluster);
  assertEquals(at("10.244.2.9"), "worker-2");
  assertEquals(at("10.0.1.10"), "master");
  assertEquals(at("203.0.113.8"), "outside");
  assertEquals(at("192.0.2.1"), undefined);
});

Deno.test("a pod has the address of the family, and one that it lost is known by what ADD gave", () => {
  const end = { is: "pod", node: "worker-1", pod: "shell" } as const;
  assertEquals(findEnd(end, machine, cluster).address, "10.244.1.2");
  assertEquals(
    findEnd(end, machine, inFamily(dual, 6)).address,
    "fd00:10:244:1::2",
  );
  const result = {
    address: "10.244.1.7",
    addresses: ["10.244.1.7"],
    hostLinks: [],
    whole: {},
  };
  const lost = { ...machine, pods: [{ ...shell, links: [], result }] };
  assertEquals(findEnd(end, lost, cluster).address, "10.244.1.7");
  assertThrows(
    () => findEnd({ ...end, pod: "web" }, machine, cluster),
    EndError,
    "worker-1/web: no such pod on worker-1; it has shell",
  );
});

Deno.test("places go from the sender's inside to the receiver's, each machine once", () => {
  const from = { machine: "one", pod: shell, address: "10.244.1.2" };
  const to = { machine: "two", pod: shell, address: "10.244.2.2" };
  const machines = (...names: readonly string[]) =>
    new Map(names.map((name) => [name, { ...machine, name }]));
  const names = (places: ReturnType<typeof listeningPlaces>) =>
    places.map(({ machine, pod, aside = false }) =>
      `${machine}${pod ? `/${pod.name}` : ""}${aside ? " aside" : ""}`
    );
  assertEquals(names(listeningPlaces(from, to, machines("two", "one", "x"))), [
    "one/shell",
    "one",
    "x aside",
    "two",
    "two/shell",
  ]);
  const near = { ...to, machine: "one" };
  assertEquals(names(listeningPlaces(from, near, machines("one"))), [
    "one/shell",
    "one",
    "one/shell",
  ]);
  // Another pod is the gateway of the one that sends.
  const other = { ...shell, name: "other" };
  const sender = {
    ...from,
    pod: {
      ...shell,
      sandbox: "/run/netns/sender",
      routes: [{ dst: "default", gateway: "10.244.1.2", dev: "eth0" }],
    },
  };
  const one = { ...machine, pods: [sender.pod, other] };
  assertEquals(names(listeningPlaces(sender, to, new Map([["one", one]]))), [
    "one/shell",
    "one",
    "one/other aside",
    "two",
    "two/shell",
  ]);
});

Deno.test("the packets: a request where one is answered, a ping, and one of full length", () => {
  const lines = (
    serving: boolean,
    family: 4 | 6,
    mtu: number,
    call?: CalledPort,
  ) =>
    probePackets({
      address: "10.244.2.2",
      ...(serving ? { server: 80 } : {}),
      ...(call === undefined ? {} : { call }),
      ...{ family, mtu, ids: [7, 8] },
    }).map(({ command }) => show(command));
  assertEquals(lines(true, 4, 1500), [
    "timeout 0.7 busybox wget -qO- http://10.244.2.2/source.cgi",
    "ping -n -c 1 -W 0.7 -e 7 10.244.2.2",
    "ping -n -c 1 -W 0.7 -e 8 -M do -s 1472 10.244.2.2",
  ]);
  assertEquals(lines(false, 6, 1280)[1]?.includes("-s 1232"), true);
  assertStringIncludes(
    lines(true, 4, 1500, { protocol: "tcp", port: 53 })[0] ?? "",
    "10.244.2.2 53",
  );
});
