// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { IPv4, IPv4CidrRange, IPv6, IPv6CidrRange } from "ip-num";
import {
  addressBytes,
  AddressError,
  addressFromBytes,
  addressOrUndefined,
  contains,
  type Family,
  firstHost,
  formatAddress,
  formatSubnet,
  hosts,
  isUsable,
  overlap,
  parseAddress,
  parseSubnet,
  type Subnet,
} from "./address.ts";

/** The same numbers in every run (a linear congruential generator, Knuth's constants). */
function numbersFrom(seed: bigint): (bits: number) => bigint {
  let state = seed;
  const next = () => {
    state = (state * 6364136223846793005n + 1442695040888963407n) &
      (1n << 64n) - 1n;
    return state >> 32n;
  };
  return (bits) => {
    let value = 0n;
    for (let have = 0; have < bits; have += 32) value = value << 32n | next();
    return value & (1n << BigInt(bits)) - 1n;
  };
}

const bitsOf = (family: Family) => family === 4 ? 32 : 128;

/** Random addresses, half of them with long runs of zeros, where "::" is decided. */
function* randomAddresses(family: Family, count: number) {
  const random = numbersFrom(BigInt(family));
  for (let i = 0; i < count; i++) {
    let value = random(bitsOf(family));
    if (i % 2 === 0) {
      for (let group = 0n; group < 128n; group += 16n) {
        if (random(2) !== 0n) value &= ~(0xffffn << group);
      }
    }
    yield { family, value };
  }
}

Deno.test("an address survives text and bytes, and ip-num reads the same number from the text", () => {
  for (const family of [4, 6] as const) {
    for (const address of randomAddresses(family, 500)) {
      const text = formatAddress(address);
      assertEquals(parseAddress(text), address, text);
      assertEquals(addressFromBytes(addressBytes(address)), address, text);
      const oracle = family === 4 ? new IPv4(text) : new IPv6(text);
      assertEquals(oracle.value, address.value, text);
    }
  }
});

Deno.test("ip-num's long form of an IPv6 address is read as the same number", () => {
  for (const { value } of randomAddresses(6, 200)) {
    const text = new IPv6(value).toString();
    assertEquals(parseAddress(text).value, value, text);
    assertEquals(parseAddress(text.toUpperCase()).value, value, text);
  }
});

Deno.test("IPv6 text is canonical: RFC 5952, 4 and 5", () => {
  const table: [string, string][] = [
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::ABCD", "2001:db8::abcd"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"],
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ];
  for (const [text, canonical] of table) {
    assertEquals(formatAddress(parseAddress(text)), canonical);
  }
});

Deno.test("what is not exactly an address is refused, and the message quotes it", () => {
  const bad = [
    ...["", " ", "1", "1.2.3", "1.2.3.4.5", "1.2.3.", ".1.2.3", "1..2.3"],
    ...["01.2.3.4", "1.2.3.04", "1.2.3.00", "1.2.3.256", "1.2.3.-4"],
    ...[
      "0x1.2.3.4",
      "1.2.3.4/24",
      " 1.2.3.4",
      "1.2.3.4\n",
      "1.2.3.٤",
      "1.2.3.1e1",
    ],
    ...[":", ":::", "1::2::3", ":1::2", "1::2:", "1:2:3:4:5:6:7", "12345::"],
    ...["1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "::1:2:3:4:5:6:7:8", "g::"],
    ...["G::", "@::", "`::", "{::", "fe80::1%eth0", "1.2.3.4::", "::1.2.3"],
    ...["::1.2.3.4:5", "::01.2.3.4", "[::1]", "::-1", "::ffff:1.2.3.256"],
  ];
  for (const text of bad) {
    assertEquals(addressOrUndefined(text), undefined, text);
    assertThrows(
      () => parseAddress(text),
      AddressError,
      `${JSON.stringify(text)} is not an IP address: expected `,
    );
  }
});

Deno.test("a very long text is cut in the message", () => {
  const error = assertThrows(
    () => parseAddress("9".repeat(100_000)),
    AddressError,
  );
  assert(error.message.length < 250, error.message);
});

Deno.test("a subnet's ends are ip-num's, and it contains and overlaps what lies between them", () => {
  for (const family of [4, 6] as const) {
    const random = numbersFrom(77n);
    let previous: Subnet | undefined;
    for (const { value } of randomAddresses(family, 200)) {
      const bits = bitsOf(family);
      const prefixLength = Number(random(7)) % (bits + 1);
      const mask = (1n << BigInt(bits - prefixLength)) - 1n;
      const network = value & ~mask;
      if (family === 6 && network >> 32n === 0xffffn) continue;
      const text = `${
        formatAddress({ family, value: network })
      }/${prefixLength}`;
      const subnet = parseSubnet(text);
      assertEquals(formatSubnet(subnet), text);
      const oracle = family === 4
        ? IPv4CidrRange.fromCidr(text)
        : IPv6CidrRange.fromCidr(text);
      const first = oracle.getFirst().value;
      const last = oracle.getLast().value;
      assertEquals([network, network + mask], [first, last], text);
      const inside = (value: bigint) => contains(subnet, { family, value });
      assertEquals([inside(first), inside(last)], [true, true], text);
      if (first > 0n) assertEquals(inside(first - 1n), false, text);
      assertEquals(contains(subnet, { family: 4, value: last + 1n }), false);
      if (previous !== undefined) {
        const a = previous.network;
        const end = a + (1n << BigInt(bits - previous.prefixLength)) - 1n;
        const expected = a <= last && first <= end;
        assertEquals(overlap(previous, subnet), expected, text);
        assertEquals(overlap(subnet, previous), expected, text);
      }
      previous = subnet;
    }
  }
});

Deno.test("subnets of different families neither contain nor overlap each other", () => {
  const all4 = parseSubnet("0.0.0.0/0");
  const all6 = parseSubnet("::/0");
  assertEquals(overlap(all4, all6), false);
  assertEquals(contains(all6, parseAddress("10.0.0.1")), false);
  assertEquals(contains(all4, parseAddress("::a00:1")), false);
});

Deno.test("a subnet with host bits set is refused, and the right one is named", () => {
  assertThrows(
    () => parseSubnet("10.244.1.5/24"),
    AddressError,
    "expected 10.244.1.0/24",
  );
  assertThrows(
    () => parseSubnet("fd00:0:0:1::5/64"),
    AddressError,
    "expected fd00:0:0:1::/64",
  );
});

Deno.test("what is not exactly a subnet is refused", () => {
  const bad = [
    ...["10.244.1.0", "10.244.1.0/", "10.244.1.0/33", "10.244.1.0/024"],
    ...["10.244.1.0/-1", "10.244.1.0/ 24", "10.244.1.0/24/24", "/24"],
    ...["10.244.1.0/255.255.255.0", "10.244.01.0/24", "fd00::/129"],
    ...["fd00::/1e1", "::ffff:10.0.0.0/104", "", "10.244.1/24"],
  ];
  for (const text of bad) {
    assertThrows(() => parseSubnet(text), AddressError, "expected ");
  }
});

Deno.test("hosts leave out the network's address and IPv4's broadcast address; the gateway is the first", () => {
  const table: [string, string, string][] = [
    ["10.244.1.0/24", "10.244.1.1", "10.244.1.254"],
    ["10.244.1.4/30", "10.244.1.5", "10.244.1.6"],
    ["0.0.0.0/0", "0.0.0.1", "255.255.255.254"],
    ["fd00::/64", "fd00::1", "fd00::ffff:ffff:ffff:ffff"],
    ["fd00::4/126", "fd00::5", "fd00::7"],
  ];
  for (const [text, first, last] of table) {
    const subnet = parseSubnet(text);
    const { family } = subnet;
    const range = hosts(subnet);
    assertEquals(formatAddress(firstHost(subnet)), first);
    assertEquals(formatAddress({ family, value: range.first }), first);
    assertEquals(formatAddress({ family, value: range.last }), last);
    assert(isUsable(subnet, parseAddress(first)));
    assert(isUsable(subnet, parseAddress(last)));
    assert(!isUsable(subnet, { family, value: range.first - 1n }));
    assert(!isUsable(subnet, { family, value: range.last + 1n }));
  }
});

Deno.test("a subnet too small for a gateway and a pod has no hosts", () => {
  for (const [text, holds] of [["10.244.1.0/31", 2], ["10.244.1.9/32", 1]]) {
    const subnet = parseSubnet(String(text));
    assertThrows(
      () => firstHost(subnet),
      AddressError,
      `Cannot take an address from ${text}: it holds ${holds}, a gateway and a pod need 4`,
    );
    const { family, network: value } = subnet;
    assertEquals(isUsable(subnet, { family, value }), false);
  }
  assertThrows(() => hosts(parseSubnet("fd00::/127")), AddressError);
});

Deno.test("bytes of any other length are no address", () => {
  assertThrows(() => addressFromBytes(new Uint8Array(5)), AddressError, "5");
  assertEquals(
    addressBytes(parseAddress("10.244.1.7")),
    new Uint8Array([10, 244, 1, 7]),
  );
});
