// @ts-types="./std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  CidrError,
  contains,
  formatAddress,
  formatCidr,
  gateway,
  overlap,
  parseAddress,
  parseCidr,
  size,
  splitClusterCIDR,
} from "./cidr.ts";

const nodes = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    name: `n${at}`,
    podCIDRs: [] as string[],
  }));

Deno.test("an IPv6 address is written in its canonical form (RFC 5952)", () => {
  for (
    const [from, to] of [
      ["0:0:0:0:0:0:0:0", "::"],
      ["0:0:0:0:0:0:0:1", "::1"],
      ["FD00:0010:0:0:0:0:0:B", "fd00:10::b"],
      ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
      ["1:0:0:2:3:0:0:4", "1::2:3:0:0:4"],
      ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
      ["fe80:0:0:0:1:0:0:0", "fe80::1:0:0:0"],
      ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ] as const
  ) assertEquals(formatAddress(parseAddress(from), 6), to);
});

Deno.test("what is no address is refused", () => {
  for (
    const text of [
      "",
      "1.2.3",
      "1.2.3.4.5",
      "1.2.3.256",
      "01.2.3.4",
      "1.2.3.4 ",
      "0x1.2.3.4",
      ":::",
      "1:2:3:4:5:6:7",
      "fd00::g",
      "fe80::1%eth0",
    ]
  ) assertThrows(() => parseAddress(text), CidrError);
});

Deno.test("a gateway is the first host address, with the podCIDR's prefix", () => {
  assertEquals(gateway("10.244.1.0/24"), "10.244.1.1/24");
  assertEquals(gateway("10.244.1.64/26"), "10.244.1.65/26");
  assertEquals(gateway("fd00:10:244:1::/64"), "fd00:10:244:1::1/64");
});

Deno.test("the clusterCIDR is split in the nodes' order, one subnet a family", () => {
  const split = splitClusterCIDR({
    clusterCIDRs: ["10.244.0.0/16", "fd00:10:244::/56"],
    nodeMasks: [24, 64],
    nodes: nodes(3),
  });
  assertEquals(split, {
    n0: ["10.244.0.0/24", "fd00:10:244::/64"],
    n1: ["10.244.1.0/24", "fd00:10:244:1::/64"],
    n2: ["10.244.2.0/24", "fd00:10:244:2::/64"],
  });
});

Deno.test("a node keeps the podCIDR that it has, and nobody else gets it", () => {
  const [first, second, third] = nodes(3);
  assert(first && second && third);
  const split = splitClusterCIDR({
    clusterCIDRs: ["10.244.0.0/16"],
    nodeMasks: [24],
    nodes: [first, second, { ...third, podCIDRs: ["10.244.0.0/23"] }],
  });
  assertEquals(split, {
    n0: ["10.244.2.0/24"],
    n1: ["10.244.3.0/24"],
    n2: ["10.244.0.0/23"],
  });
});

Deno.test("a clusterCIDR that is used up names the node that goes without", () => {
  assertThrows(
    () =>
      splitClusterCIDR({
        clusterCIDRs: ["10.244.0.0/23"],
        nodeMasks: [24],
        nodes: nodes(3),
      }),
    CidrError,
    "the clusterCIDR 10.244.0.0/23 has no subnet left for n2",
  );
});

Deno.test("however a clusterCIDR is split, podCIDRs lie in it and keep apart", () => {
  for (
    const [prefix, mask, count] of [[16, 24, 200], [20, 30, 1000]] as const
  ) {
    const clusterCIDR = `10.32.0.0/${prefix}`;
    const split = splitClusterCIDR({
      clusterCIDRs: [clusterCIDR],
      nodeMasks: [mask],
      nodes: nodes(count),
    });
    const podCIDRs = Object.values(split).flat().map(parseCidr)
      .toSorted((a, b) => Number(a.network - b.network));
    assertEquals(podCIDRs.length, count);
    podCIDRs.forEach((podCIDR, at) => {
      assert(contains(parseCidr(clusterCIDR), podCIDR));
      const next = podCIDRs[at + 1];
      assert(next === undefined || !overlap(podCIDR, next));
      assertEquals(size(podCIDR), 1n << BigInt(32 - mask));
      assertEquals(parseCidr(formatCidr(podCIDR)), podCIDR);
    });
  }
});
