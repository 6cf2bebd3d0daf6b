// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { forwardingSwitch } from "./forwarding_switch.ts";
import { undoOf } from "../stage/stage.ts";

const answered = (family: 4 | 6, stdout: string) => {
  const { doneWhen } = forwardingSwitch(family, "");
  return doneWhen?.read({ code: 0, stdout, stderr: "" });
};

Deno.test("undo gives back what the kernel writes beside the switch", () => {
  const found = answered(
    4,
    "ipv4/conf/all/forwarding:0\nipv4/conf/eth0/forwarding:0\n" +
      "ipv4/conf/eth1.5/forwarding:1\nipv4/conf/all/accept_redirects:0\n",
  );
  assert(found?.is === "absent");
  assertEquals(undoOf(forwardingSwitch(4, ""), found.previous)?.argv, [
    "sysctl",
    "-e",
    "-w",
    "net.ipv4.ip_forward=0",
    "net/ipv4/conf/eth1.5/forwarding=1",
    "net/ipv4/conf/all/accept_redirects=0",
  ]);
  const usual = answered(
    4,
    "ipv4/conf/all/forwarding:0\nipv4/conf/all/accept_redirects:1\n",
  );
  assert(usual?.is === "absent");
  assertEquals(undoOf(forwardingSwitch(4, ""), usual.previous)?.argv, [
    "sysctl",
    "-w",
    "net.ipv4.ip_forward=0",
  ]);
});

Deno.test("the switch of IPv6 leaves redirects alone, and a kernel without IPv6 has none", () => {
  const found = answered(
    6,
    "ipv6/conf/all/forwarding:0\nipv6/conf/all/accept_redirects:0\n",
  );
  assertEquals(found, { is: "absent", previous: "0" });
  assertEquals(answered(6, "ipv6/conf/all/forwarding:1\n"), { is: "present" });
  assertEquals(answered(6, ""), { is: "present" });
  assertEquals(answered(6, "no such thing")?.is, "unknown");
});
