// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { saysGone } from "./says_gone.ts";

/** As iproute2 6.1 and iptables 1.8.9 of both kinds print them. */
const gone = [
  'Cannot find device "deno.vxlan"',
  "Error: ipv4: Address not found.",
  "Error: ipv6: address not found.",
  "RTNETLINK answers: No such file or directory",
  "RTNETLINK answers: No such process",
  "iptables: Bad rule (does a matching rule exist in that chain?).",
  "iptables: No chain/target/match by that name.",
];

const otherwise = [
  "",
  "RTNETLINK answers: Operation not permitted",
  "rm: cannot remove '/etc/x': No such file or directory",
  "sysctl: cannot stat /proc/sys/net/ipv4/conf/x: No such file or directory",
  "iptables: Resource temporarily unavailable.",
];

Deno.test("what removes a thing says that it is gone, or that it could not be removed", () => {
  const says = (stderr: string) =>
    saysGone({ code: 2, stdout: "", stderr: `${stderr}\n` });
  assertEquals(gone.filter((text) => !says(text)), []);
  assertEquals(otherwise.filter(says), []);
  const [text = ""] = gone;
  const outcome = { stdout: "", stderr: text };
  assertEquals(saysGone({ ...outcome, code: 0 }), false);
  const late = { ...outcome, code: undefined, ended: "timed out" as const };
  assertEquals(saysGone(late), false);
});
