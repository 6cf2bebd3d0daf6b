// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { IPv4CidrRange, IPv6CidrRange } from "ip-num";
import {
  addressNumber,
  addressText,
  type Cidr,
  CidrError,
  containsAddress,
  containsCidr,
  end,
  type Family,
  formatCidr,
  gateway,
  overlaps,
  parseCidr,
  size,
  splitClusterCIDR,
} from "./cidr.ts";

const bits = { 4: 32, 6: 128 } as const;

/** Random numbers that are the same in every run (xorshift32). */
function numbers(seed: number): (below: bigint) => bigint {
  let state = seed;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return BigInt(state >>> 0);
  };
  return (below) => {
    let value = 0n;
    for (let width = 0; width < 160; width += 32) value = value << 32n | next();
    return value % below;
  };
}

/** A random CIDR inside another one. */
function inside(outer: Cidr, random: (below: bigint) => bigint): Cidr {
  const { family } = outer;
  const longer = random(BigInt(bits[family] - outer.prefixLength + 1));
  const prefixLength = outer.prefixLength + Number(longer);
  const step = size({ family, network: 0n, prefixLength });
  const network = outer.network + random(size(outer) / step) * step;
  return { family, network, prefixLength };
}

const everything: Record<Family, Cidr> = {
  4: { family: 4, network: 0n, prefixLength: 0 },
  6: { family: 6, network: 0n, prefixLength: 0 },
};

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
  ) assertEquals(addressText(addressNumber(from), 6), to);
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
      "1.2.3.4\n",
      "0x1.2.3.4",
      "१.2.3.4",
      ":",
      ":::",
      "1::2::3",
      "1:2:3:4:5:6:7",
      "1:2:3:4:5:6:7:8:9",
      "1:2:3:4:5:6:7::8",
      "12345::",
      "fd00::g",
      "fe80::1%eth0",
      "::ffff:10.0.0.1",
    ]
  ) assertThrows(() => addressNumber(text), CidrError);
});

Deno.test("a CIDR is read as ip-num reads it, and written as it was", () => {
  const random = numbers(1);
  for (let turn = 0; turn < 500; turn++) {
    const cidr = inside(everything[turn % 2 === 0 ? 4 : 6], random);
    const text = formatCidr(cidr);
    assertEquals(parseCidr(text), cidr);
    const oracle = cidr.family === 4
      ? IPv4CidrRange.fromCidr(text)
      : IPv6CidrRange.fromCidr(text);
    assertEquals(oracle.getFirst().getValue(), cidr.network);
    assertEquals(oracle.getLast().getValue(), end(cidr) - 1n);
    assertEquals(oracle.getSize(), size(cidr));
  }
});

Deno.test("host bits are refused with the network that was meant", () => {
  const random = numbers(2);
  for (let turn = 0; turn < 200; turn++) {
    const cidr = inside(everything[turn % 2 === 0 ? 4 : 6], random);
    if (size(cidr) === 1n) continue;
    const host = cidr.network + 1n + random(size(cidr) - 1n);
    const address = addressText(host, cidr.family);
    assert(containsAddress(cidr, address));
    const { message } = assertThrows(
      () => parseCidr(`${address}/${cidr.prefixLength}`),
      CidrError,
    );
    assertEquals(
      message,
      `has host bits set; did you mean ${formatCidr(cidr)}?`,
    );
  }
});

Deno.test("two CIDRs are apart, or the longer prefix lies in the shorter", () => {
  const random = numbers(3);
  for (let turn = 0; turn < 1000; turn++) {
    const outer: Cidr = {
      family: 4,
      network: 0x0a_f4_01_00n,
      prefixLength: 26,
    };
    const [a, b] = [inside(outer, random), inside(outer, random)];
    const both = Array.from(
      { length: 64 },
      (_, at) => outer.network + BigInt(at),
    )
      .filter((value) =>
        [a, b].every((cidr) => containsAddress(cidr, addressText(value, 4)))
      );
    assertEquals(overlaps(a, b), both.length > 0);
    assertEquals(overlaps(b, a), both.length > 0);
    assertEquals(containsCidr(a, b), BigInt(both.length) === size(b));
    assertEquals(overlaps(a, b), containsCidr(a, b) || containsCidr(b, a));
  }
});

Deno.test("families have nothing in common", () => {
  assert(!overlaps(everything[4], everything[6]));
  assert(!containsCidr(everything[6], everything[4]));
  assert(!containsAddress(everything[6], "10.0.1.1"));
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
    "10.244.0.0/23 has no subnet left for the node n2; expected a /24 for each",
  );
});

Deno.test("a split is what trying every subnet in turn would give", () => {
  const random = numbers(4);
  const clusterCIDR = "10.32.0.0/20";
  const cluster = parseCidr(clusterCIDR);
  for (let turn = 0; turn < 200; turn++) {
    const mask = 22 + Number(random(5n));
    const step = size({ ...cluster, prefixLength: mask });
    const given: Cidr[] = [];
    for (let tries = 0; tries < turn % 12; tries++) {
      const one = inside(cluster, random);
      if (!given.some((other) => overlaps(other, one))) given.push(one);
    }
    const free = Array.from(
      { length: Number(size(cluster) / step) },
      (_, at): Cidr => ({
        family: 4,
        network: cluster.network + BigInt(at) * step,
        prefixLength: mask,
      }),
    ).filter((subnet) => !given.some((other) => overlaps(other, subnet)));
    const all = [
      ...nodes(free.length),
      ...given.map((cidr, at) => ({
        name: `given${at}`,
        podCIDRs: [formatCidr(cidr)],
      })),
    ];
    const input = {
      clusterCIDRs: [clusterCIDR],
      nodeMasks: [mask],
      nodes: all,
    };
    const split = splitClusterCIDR(input);
    assertEquals(
      Object.values(split).flat(),
      [...free, ...given].map(formatCidr),
    );
    assertThrows(
      () => splitClusterCIDR({ ...input, nodes: [...all, ...nodes(1)] }),
      CidrError,
    );
  }
});
