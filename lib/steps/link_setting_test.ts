// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { linkSettingOff } from "./link_setting.ts";
import type { Outcome } from "../exec/command.ts";

const setting = { link: "cni0", family: 6, name: "accept_ra" } as const;

function outcome(code: number, stdout = "", stderr = ""): Outcome {
  return { code, stdout, stderr };
}

Deno.test("linkSettingOff() keeps the value that undo has to put back, and takes less than 0 for off", () => {
  const { read } = linkSettingOff(setting);
  assertEquals(read(outcome(0, "1\n")), { is: "absent", previous: "1" });
  assertEquals(read(outcome(0, "0\n")), { is: "present" });
  assertEquals(read(outcome(0, "-1\n")), { is: "present" });
});

Deno.test("linkSettingOff() finds nothing to set where link or kernel lack it, unless it is needed", () => {
  const { read } = linkSettingOff(setting);
  assertEquals(read(outcome(44)), { is: "absent" });
  assertEquals(read(outcome(0)), { is: "present" });
  assertEquals(read(outcome(46)), { is: "present" });
  const needed = linkSettingOff(setting, "fd00::/64").read(outcome(46));
  if (needed.is !== "unknown") throw new Error(`got ${needed.is}`);
  assertStringIncludes(needed.reason, "no IPv6, which fd00::/64 needs");
  assertEquals(read(outcome(1, "", "Permission denied")).is, "unknown");
});
