// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Outcome } from "../exec/command.ts";
import { routeByOwner } from "./route_by_owner.ts";
import type { Answer } from "../stage/stage.ts";

// What `ip` of iproute2 6.1 prints, recorded.
const none = "[ ]";
const onLink =
  '[{"dst":"10.0.1.12","dev":"eth0","prefsrc":"10.0.1.11","flags":[],"uid":0,"cache":[]}]';
const byGateway =
  '[{"dst":"10.0.1.12","gateway":"10.0.1.1","dev":"ens4","prefsrc":"10.0.1.11","flags":[],"uid":0,"cache":[]}]';
const itself =
  '[{"type":"local","dst":"10.0.1.12","dev":"lo","prefsrc":"10.0.1.12","flags":[],"uid":0,"cache":["local"]}]';
const ourRoute =
  '[{"dst":"10.244.2.0/24","gateway":"10.0.1.12","dev":"eth0","protocol":"244","flags":[]}]';
const otherRoute =
  '[{"dst":"10.244.2.0/24","gateway":"10.0.1.99","dev":"eth0","protocol":"static","flags":[]}]';

function read(outcome: Partial<Outcome>): Answer {
  return routeByOwner("10.244.2.0/24", "worker-2", "10.0.1.12")
    .read({ code: 0, stdout: "", stderr: "", ...outcome });
}

Deno.test("a route is made by a node on the same segment", () => {
  assertEquals(read({ stdout: `${none}\n${onLink}\n` }), { is: "absent" });
});

Deno.test("a route that is there is there, and somebody else's is refused", () => {
  assertEquals(read({ stdout: `${ourRoute}\n${onLink}\n` }), {
    is: "present",
    ours: true,
  });
  assertEquals(read({ stdout: `${otherRoute}\n${onLink}\n` }).is, "different");
});

Deno.test("a node behind a gateway is no next hop, and the message names the gateway and the ways out", () => {
  const answer = read({ stdout: `${none}\n${byGateway}\n` });
  if (answer.is !== "different") throw new Error(answer.is);
  for (const word of ["worker-2", "10.0.1.12", "gateway 10.0.1.1"]) {
    assertStringIncludes(answer.found, word);
  }
  for (
    const word of ["routes: aws", "routes: gcp", "routes: vxlan", "one segment"]
  ) {
    assertStringIncludes(answer.remedy, word);
  }
});

Deno.test("a node that there is no way to is no next hop", () => {
  const answer = read({
    code: 2,
    stdout: `${none}\n`,
    stderr: "RTNETLINK answers: Network is unreachable\n",
  });
  assertEquals(answer.is, "different");
});

Deno.test("another node with this node's own address is a mistake in the cluster file", () => {
  const answer = read({ stdout: `${none}\n${itself}\n` });
  if (answer.is !== "different") throw new Error(answer.is);
  assertStringIncludes(answer.found, "the node's own");
});

Deno.test("what cannot be told is unknown, never absent", () => {
  assertEquals(read({ code: 127, stderr: "sh: ip: not found" }).is, "unknown");
  assertEquals(read({ code: 1, stdout: "", stderr: "no" }).is, "unknown");
  assertEquals(
    read({ code: 2, stdout: `${none}\n`, stderr: "?" }).is,
    "unknown",
  );
  assertEquals(read({ stdout: `${none}\nnonsense` }).is, "unknown");
  const { code: _, ...killed } = { code: 0, stdout: `${none}\n`, stderr: "" };
  assertEquals(
    routeByOwner("10.244.2.0/24", "b", "10.0.1.12")
      .read({ ...killed, code: undefined, ended: "timed out" }).is,
    "unknown",
  );
});
