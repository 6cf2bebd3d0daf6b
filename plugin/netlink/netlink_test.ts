// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  attributes,
  decode,
  encode,
  NLM_F,
  numberOf,
  textOf,
} from "./netlink.ts";

Deno.test("a request is its header, then its parts, each aligned to four bytes", () => {
  const request = {
    type: 16,
    flags: NLM_F.ACK,
    parts: [Uint8Array.of(1, 2, 3, 4), [3, "eth0"], [18, [[1, "veth"]]]],
  } as const;
  // Source: netlink(7), struct nlmsghdr and struct nlattr, little-endian.
  assertEquals(
    [...encode([request], 9)],
    [
      ...[45, 0, 0, 0, 16, 0, 5, 0, 9, 0, 0, 0, 0, 0, 0, 0],
      ...[1, 2, 3, 4],
      ...[9, 0, 3, 0, 101, 116, 104, 48, 0, 0, 0, 0],
      ...[13, 0, 18, 0, 9, 0, 1, 0, 118, 101, 116, 104, 0, 0, 0, 0],
    ],
  );
});

Deno.test("attributes are found by type, whatever flags the kernel put on it", () => {
  const bytes = Uint8Array.of(
    8,
    0,
    4,
    0x80,
    220,
    5,
    0,
    0,
    9,
    0,
    3,
    0,
    108,
    111,
    0,
    0,
    0,
    0,
    0,
    0,
  );
  const found = attributes(bytes, 0);
  assertEquals(numberOf(found.get(4)!), 1500);
  assertEquals(textOf(found.get(3)!), "lo");
});

Deno.test("answers that are cut short or lie about their length end the reading", () => {
  const header = (
    length: number,
  ) => [length, 0, 0, 0, 16, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
  for (const length of [0, 15, 200]) {
    assertEquals(decode(Uint8Array.from(header(length))), []);
  }
  assertEquals(attributes(Uint8Array.of(0, 0, 1, 0, 9, 9), 0).size, 0);
  assertEquals(attributes(Uint8Array.of(40, 0, 1, 0, 9, 9), 0).size, 0);
});

Deno.test("an acknowledgement is an error of number 0, an error carries its errno and the kernel's words", () => {
  const ack = Uint8Array.from([
    36,
    0,
    0,
    0,
    2,
    0,
    0,
    1,
    5,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ...new Array(16).fill(0),
  ]);
  assertEquals(decode(ack), [{ kind: "ack", sequence: 5 }]);
  const words = new TextEncoder().encode("no such thing\0\0\0");
  const refused = Uint8Array.from([
    ...[56, 0, 0, 0, 2, 0, 0, 3, 6, 0, 0, 0, 0, 0, 0, 0],
    ...[0xea, 0xff, 0xff, 0xff, ...new Array(16).fill(0)],
    ...[18, 0, 1, 0, ...words],
  ]);
  refused[0] = refused.length;
  assertEquals(decode(refused), [{
    kind: "error",
    sequence: 6,
    errno: 22,
    text: "no such thing",
  }]);
});
