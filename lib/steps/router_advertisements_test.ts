// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { heedRouters } from "./router_advertisements.ts";

const read = (stdout: string, code = 0) =>
  heedRouters("cni0").doneWhen?.read({ code, stdout, stderr: "" });

Deno.test("an interface that learns from routers is to have accept_ra at 2, and 0 is left alone", () => {
  assertEquals(read(""), { is: "unneeded" });
  assertEquals(read("eth0 1 yes no\n"), { is: "absent" });
  assertEquals(read("eth0 2 yes no\neth1 0 yes no\n"), { is: "present" });
  assertEquals(read("eth0 2 yes yes\n"), { is: "present", ours: true });
  // Another one beside what an earlier run did.
  assertEquals(read("eth0 2 yes yes\neth1 1 yes no\n"), {
    is: "absent",
    ours: true,
  });
  assertEquals(read("", 1)?.is, "unknown");
});

Deno.test("a setting that cannot be written is refused, for the node would lose IPv6", () => {
  const found = read("eth0.5 1 no no\n");
  assert(found?.is === "different");
  assertStringIncludes(found.found, "net/ipv6/conf/eth0.5/accept_ra");
  assertEquals(read("eth0 2 no no\n"), { is: "present" });
});
