// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { linkSettingOff } from "./link_setting.ts";
import { run } from "../exec/run.ts";
import type { Outcome } from "../exec/command.ts";

const setting = { link: "cni0", family: 6, name: "accept_ra" } as const;

function outcome(code: number, stdout = "", stderr = ""): Outcome {
  return { code, stdout, stderr };
}

const kernel = "ipv4\nipv6\n";
const at = (value: number) =>
  outcome(0, `${kernel}link\nipv6/conf/cni0/accept_ra:${value}\n`);

Deno.test("linkSettingOff() keeps the value that undo has to put back, and takes less than 0 for off", () => {
  const { read } = linkSettingOff(setting);
  assertEquals(read(at(1)), { is: "absent", previous: "1" });
  assertEquals(read(at(0)), { is: "present" });
  assertEquals(read(at(-1)), { is: "present" });
  const other = linkSettingOff({ ...setting, name: "accept_redirects" });
  assertEquals(other.ask, linkSettingOff(setting).ask);
  assertEquals(other.read(at(1)), { is: "present" });
});

Deno.test("linkSettingOff() finds nothing to set where link or kernel lack it, unless it is needed", () => {
  const { read } = linkSettingOff(setting);
  assertEquals(read(outcome(0, kernel)), { is: "absent" });
  assertEquals(read(outcome(0, `${kernel}link\n`)), { is: "present" });
  const without = outcome(0, "ipv4\nlink\n");
  assertEquals(read(without), { is: "present" });
  const needed = linkSettingOff(setting, "fd00::/64").read(without);
  if (needed.is !== "unknown") throw new Error(`got ${needed.is}`);
  assertStringIncludes(needed.reason, "no IPv6, which fd00::/64 needs");
  assertEquals(read(outcome(1, "", "Permission denied")).is, "unknown");
});

Deno.test("a kernel tells of lo all that is asked, and of no link that it has none", async () => {
  const lo = linkSettingOff({ ...setting, link: "lo" });
  const { code, stdout } = await run(lo.ask);
  assertEquals(code, 0);
  assertStringIncludes(stdout, "link\nipv6/conf/lo/accept_ra:");
  const none = linkSettingOff({ ...setting, link: "no-link" });
  assertEquals(none.read(await run(none.ask)), { is: "absent" });
});
