// @ts-types="../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
} from "@std/assert";
import { isVethOf, vethAlias, vethNames } from "./veth.ts";

const attachment = {
  network: "deno-cni",
  containerID: "c".repeat(64),
  ifname: "eth0",
};

const link = {
  index: 7,
  name: "veth0",
  kind: "veth",
  mac: "",
  mtu: 1500,
  alias: vethAlias(attachment),
  master: 0,
  up: true,
  forwarding: true,
  hairpin: false,
};

Deno.test("a host veth's names are a link's, always the same, and differ from one another", () => {
  const names = [...vethNames(attachment)];
  assertEquals(names, [...vethNames({ ...attachment })]);
  assertEquals(new Set(names).size, names.length);
  for (const name of names) assertMatch(name, /^veth[0-9a-z]{11}$/);
});

Deno.test("no two of 20,000 attachments get one name", () => {
  const names = new Set<string>();
  for (let at = 0; at < 5_000; at++) {
    for (const ifname of ["eth0", "eth1"]) {
      for (const network of ["a", "b"]) {
        const [name] = vethNames({ network, containerID: `c${at}`, ifname });
        names.add(name!);
      }
    }
  }
  assertEquals(names.size, 20_000);
});

Deno.test("an alias fits into the kernel's 255 bytes and keeps attachments apart", () => {
  const long = { ...attachment, network: "n".repeat(300) };
  assert(vethAlias(long).length <= 255);
  assertNotEquals(vethAlias(long), vethAlias({ ...long, ifname: "eth1" }));
  assertNotEquals(
    vethAlias(long),
    vethAlias({ ...long, network: "m".repeat(300) }),
  );
});

Deno.test("a veth belongs to its own network, not to one whose name begins alike", () => {
  assert(isVethOf("deno-cni", link));
  assert(!isVethOf("deno", link));
  assert(!isVethOf("deno-cni-2", link));
  assert(!isVethOf("deno-cni", { ...link, kind: "bridge" }));
  const long = { ...attachment, network: "n".repeat(300) };
  assert(isVethOf(long.network, { ...link, alias: vethAlias(long) }));
  assert(!isVethOf("n".repeat(299), { ...link, alias: vethAlias(long) }));
});
