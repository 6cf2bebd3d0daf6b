// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import {
  CniError,
  errorFor,
  type Result,
  since,
  versions,
} from "./protocol.ts";
import { parseResult, resultFor } from "./result.ts";

const result: Result = {
  interfaces: [
    { name: "cni0", mac: "02:00:00:00:00:01", mtu: 1500 },
    {
      name: "eth0",
      mac: "02:00:00:00:00:02",
      mtu: 1500,
      sandbox: "/proc/7/ns/net",
    },
  ],
  ips: [
    { address: "10.244.1.2/24", gateway: "10.244.1.1", interface: 1 },
    { address: "fd00::2/64", interface: 1 },
  ],
  routes: [{ dst: "0.0.0.0/0", gw: "10.244.1.1", mtu: 1400 }, {
    dst: "fd01::/16",
  }],
  dns: {},
};

Deno.test("a result of 1.1.0 is told as it is, without an empty dns", () => {
  const { dns: _, ...rest } = result;
  assertEquals<unknown>(resultFor("1.1.0", result), {
    cniVersion: "1.1.0",
    ...rest,
  });
});

Deno.test("a result of 1.0.0 has no mtu on interfaces and routes", () => {
  const told = JSON.stringify(resultFor("1.0.0", result));
  assertEquals([
    told.includes("mtu"),
    told.includes("dns"),
    told.includes("version"),
  ], [false, false, false]);
});

Deno.test("results from 0.3.0 to 0.4.0 name the family of each address and have a dns", () => {
  for (const version of ["0.3.0", "0.3.1", "0.4.0"] as const) {
    const told = parseJson(resultFor(version, result));
    assertEquals(told.ips.map((ip) => ip.version), ["4", "6"]);
    assertEquals(told.dns, {});
  }
});

Deno.test("results to 0.2.0 have ip4 and ip6 with their own routes, and no interfaces", () => {
  for (const version of ["0.1.0", "0.2.0"] as const) {
    assertEquals<unknown>(resultFor(version, result), {
      cniVersion: version,
      ip4: {
        ip: "10.244.1.2/24",
        gateway: "10.244.1.1",
        routes: [{ dst: "0.0.0.0/0", gw: "10.244.1.1" }],
      },
      ip6: { ip: "fd00::2/64", routes: [{ dst: "fd01::/16" }] },
      dns: {},
    });
  }
});

Deno.test("what was told is understood again in every version", () => {
  for (const version of versions) {
    const again = parseResult(resultFor(version, result), "prevResult");
    assertEquals(again.ips.map(({ address }) => address), [
      "10.244.1.2/24",
      "fd00::2/64",
    ]);
    assertEquals(again.routes.map(({ dst }) => dst), [
      "0.0.0.0/0",
      "fd01::/16",
    ]);
    assertEquals(again.interfaces.length, since(version, "0.3.0") ? 2 : 0);
  }
});

Deno.test("a prevResult of the wrong shape is refused with its path", () => {
  const wrong = { interfaces: [{ name: "eth0", mtu: "big" }] };
  assertThrows(
    () => parseResult(wrong, "prevResult"),
    CniError,
    "prevResult.interfaces[0].mtu",
  );
});

Deno.test("an error without details has none", () => {
  assertEquals<unknown>(errorFor("1.0.0", new CniError(7, "what")), {
    cniVersion: "1.0.0",
    code: 7,
    msg: "what",
  });
});

function parseJson(
  value: unknown,
): { ips: { version?: string }[]; dns?: object } {
  return JSON.parse(JSON.stringify(value));
}
