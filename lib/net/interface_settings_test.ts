// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  effectiveValue,
  heedsRouters,
  interfaceSettings,
  placesToSet,
  readInterfaceValues,
  settingName,
} from "./interface_settings.ts";

const values = (family: 4 | 6, name: string, all: number, own: number) =>
  readInterfaceValues(
    `/proc/sys/net/ipv${family}/conf/all/${name}:${all}\n` +
      `ipv${family}/conf/eth0.5/${name}:${own}\n` +
      `ipv${family}/conf/default/${name}:9\n`,
  );

/** What counts for all = 0, 1, 0, 1 and the interface's own = 0, 0, 1, 1. */
const truth: Readonly<Record<string, number[]>> = {
  own: [0, 0, 1, 1],
  all: [0, 1, 0, 1],
  and: [0, 0, 0, 1],
  smaller: [0, 0, 0, 1],
  or: [0, 1, 1, 1],
  greater: [0, 1, 1, 1],
  "and where forwarding, else or": [0, 0, 0, 1],
  // These values say nothing of forwarding.
  "own where not forwarding": [0, 0, 0, 0],
};

Deno.test("a setting is what the kernel makes of all's and the interface's", () => {
  for (const { family, name, combined } of interfaceSettings) {
    const found = [[0, 0], [1, 0], [0, 1], [1, 1]].map(([all = 0, own = 0]) =>
      effectiveValue(values(family, name, all, own), family, name, "eth0.5")
    );
    assertEquals(found, truth[combined], `ipv${family} ${name}`);
  }
});

Deno.test("rp_filter and arp_ignore are the greater number, not a yes or no", () => {
  assertEquals(
    effectiveValue(values(4, "rp_filter", 1, 2), 4, "rp_filter", "eth0.5"),
    2,
  );
  assertEquals(
    effectiveValue(values(4, "arp_ignore", 8, 1), 4, "arp_ignore", "eth0.5"),
    8,
  );
});

Deno.test("redirects are accepted by one of the two where the interface does not forward", () => {
  const at = (forwarding: number) =>
    readInterfaceValues(
      "ipv4/conf/all/accept_redirects:0\nipv4/conf/eth0/accept_redirects:1\n" +
        `ipv4/conf/eth0/forwarding:${forwarding}\n`,
    );
  assertEquals(effectiveValue(at(0), 4, "accept_redirects", "eth0"), 1);
  assertEquals(effectiveValue(at(1), 4, "accept_redirects", "eth0"), 0);
});

Deno.test("redirects of IPv6 are accepted where the interface does not forward, whatever all says", () => {
  const at = (forwarding: number, own: number) =>
    effectiveValue(
      readInterfaceValues(
        `ipv6/conf/eth0/forwarding:${forwarding}\nipv6/conf/all/accept_redirects:1\n` +
          `ipv6/conf/eth0/accept_redirects:${own}\n`,
      ),
      6,
      "accept_redirects",
      "eth0",
    );
  assertEquals([at(0, 0), at(0, 1), at(1, 1)], [0, 1, 0]);
});

Deno.test("a router heeds router advertisements with accept_ra=2 alone", () => {
  const at = (forwarding: number, accept_ra: number) =>
    heedsRouters(
      readInterfaceValues(
        `ipv6/conf/eth0/forwarding:${forwarding}\nipv6/conf/eth0/accept_ra:${accept_ra}\n`,
      ),
      "eth0",
    );
  assertEquals([at(0, 0), at(0, 1), at(0, 2)], [false, true, true]);
  assertEquals([at(1, 0), at(1, 1), at(1, 2)], [false, false, true]);
  assertEquals(heedsRouters(new Map(), "eth0"), undefined);
});

Deno.test("what mends a setting is written where it is wrong", () => {
  const set = (name: string, all: number, own: number, wanted: number) =>
    placesToSet(values(4, name, all, own), 4, name, "eth0.5", wanted);
  assertEquals(set("forwarding", 1, 0, 1), ["eth0.5"]);
  assertEquals(set("rp_filter", 1, 0, 2), ["eth0.5"]);
  assertEquals(set("arp_ignore", 8, 0, 0), ["all"]);
  assertEquals(set("arp_ignore", 1, 8, 0), ["all", "eth0.5"]);
  assertEquals(set("proxy_arp", 1, 0, 0), ["all"]);
  assertEquals(set("proxy_arp", 1, 1, 0), ["all", "eth0.5"]);
  assertEquals(
    placesToSet(values(6, "forwarding", 0, 0), 6, "forwarding", "eth0", 1),
    ["all"],
  );
});

Deno.test("an interface whose name has a dot is named with slashes", () => {
  assertEquals(
    settingName(4, "forwarding", "eth0.5"),
    "net/ipv4/conf/eth0.5/forwarding",
  );
  assertEquals(
    settingName(6, "accept_ra", "br0"),
    "net.ipv6.conf.br0.accept_ra",
  );
});
