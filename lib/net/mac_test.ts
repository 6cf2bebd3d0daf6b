// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { mac } from "./mac.ts";

Deno.test("mac() gives unicast addresses of the locally administered kind, a name its own", () => {
  const addresses = ["eth0 master", "eth0 worker-1", "port worker-1"].map(mac);
  assertEquals(new Set(addresses).size, 3);
  for (const address of addresses) {
    assert(/^02(:[0-9a-f]{2}){5}$/.test(address), address);
  }
});
