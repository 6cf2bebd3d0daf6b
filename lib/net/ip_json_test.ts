// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { nastyNames } from "../text/nasty_testing.ts";
import { parseIpList, readLinks } from "./ip_json.ts";

/** As iproute2 writes a name: it quotes '"', "\\" and white space, and no other control character. */
function iproute(name: string, quoted = "'"): string {
  return `"${
    name.replace(/["\\]/g, "\\$&").replaceAll("\n", "\\n")
      .replaceAll("'", quoted)
  }"`;
}

Deno.test("names and aliases are read as they are, however iproute2 quotes them", () => {
  for (const quoted of ["'", "\\'"]) {
    const text = nastyNames.map((name, at) =>
      `{"ifindex":${at},"ifname":${iproute(name, quoted)},"flags":[],` +
      `"mtu":1500,"ifalias":${iproute(name, quoted)},"addr_info":[]}`
    ).join(",");
    const links = readLinks(`[${text}]\n`);
    assertEquals(links.map(({ name }) => name), nastyNames);
    assertEquals(links.map(({ alias = "" }) => alias), nastyNames);
  }
});

Deno.test("what is no list is none", () => {
  assertEquals(parseIpList(""), []);
  assertEquals(parseIpList("[{},{}]"), []);
  assertEquals(parseIpList('[{"dst":'), undefined);
  assertEquals(parseIpList("null"), undefined);
});
