// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { BuildError } from "../stage/errors.ts";
import { linkage } from "./elf.ts";

/** An executable that is linked to the named objects, by a loader: no more than headers and strings. */
function executable(needed: readonly string[]): Uint8Array {
  const loader = "/lib64/ld-linux-x86-64.so.2\0";
  const names = needed.map((name) => `${name}\0`);
  const strings = new TextEncoder().encode(`\0${names.join("")}`);
  const headers = 64 + 3 * 56;
  const dynamic = headers + loader.length;
  const dynamicSize = 16 * (needed.length + 2);
  const table = dynamic + dynamicSize;
  const bytes = new Uint8Array(table + strings.length);
  const view = new DataView(bytes.buffer);
  const long = (at: number, value: number) =>
    view.setBigUint64(at, BigInt(value), true);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1]);
  long(32, 64);
  view.setUint16(54, 56, true);
  view.setUint16(56, 3, true);
  const base = 0x400000;
  const segment = (at: number, type: number, offset: number, size: number) => {
    view.setUint32(at, type, true);
    long(at + 8, offset);
    long(at + 16, base + offset);
    long(at + 32, size);
  };
  segment(64, 3, headers, loader.length);
  segment(120, 1, 0, bytes.length);
  segment(176, 2, dynamic, dynamicSize);
  bytes.set(new TextEncoder().encode(loader), headers);
  let name = 1;
  needed.forEach((_, index) => {
    long(dynamic + 16 * index, 1);
    long(dynamic + 16 * index + 8, name);
    name += names[index]!.length;
  });
  long(dynamic + 16 * needed.length, 5);
  long(dynamic + 16 * needed.length + 8, base + table);
  bytes.set(strings, table);
  return bytes;
}

Deno.test("an executable's loader and the objects that it is linked to are read from its headers", () => {
  assertEquals(linkage("x", executable(["libmnl.so.0", "libc.so.6"])), {
    interpreter: "/lib64/ld-linux-x86-64.so.2",
    needed: ["libmnl.so.0", "libc.so.6"],
  });
});

Deno.test("Deno itself needs the C library, by what its own file says", async () => {
  const { needed = [], interpreter } =
    linkage("deno", await Deno.readFile(Deno.execPath())) ?? {};
  assertEquals(needed.includes("libc.so.6"), true);
  assertEquals(interpreter?.startsWith("/lib"), true);
});

Deno.test("a text is no ELF file, and one of another class is refused", () => {
  assertEquals(
    linkage("x", new TextEncoder().encode("#!/bin/sh\n")),
    undefined,
  );
  const narrow = executable([]);
  narrow[4] = 1;
  assertThrows(() => linkage("/bin/x", narrow), BuildError, "/bin/x");
});
