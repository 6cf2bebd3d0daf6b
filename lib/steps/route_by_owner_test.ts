// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Outcome } from "../exec/command.ts";
import { routeByOwner } from "./route_by_owner.ts";
import { waysQuestion } from "./route_table.ts";
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

function read(outcome: Partial<Outcome>, at = 0): Answer {
  const owner = { name: "worker-2", via: "10.0.1.12" };
  return routeByOwner("10.244.2.0/24", owner, waysQuestion(4, []), at)
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
  const bare = ourRoute.replace('"244"', '"static"');
  assertEquals(read({ stdout: `${bare}\n${onLink}\n` }), { is: "present" });
  assertEquals(read({ stdout: `${otherRoute}\n${onLink}\n` }).is, "different");
  const stale = ourRoute.replace(".12", ".99");
  assertEquals(read({ stdout: `${stale}\n${onLink}\n` }), { is: "absent" });
});

Deno.test("each finds its own route and its own way among those of all", () => {
  const many =
    '[{"dst":"default","gateway":"10.0.1.1"},{"dst":"10.244.9.0/24","gateway":"10.0.1.19","protocol":"static"},' +
    ourRoute.slice(1);
  assertEquals(read({ stdout: `${many}\n` }).is, "present");
  const ways = {
    stdout: `${none}\n${byGateway}\n${onLink}\n${itself}\n`,
    stderr: "RTNETLINK answers: Network is unreachable\nCommand failed -:2\n",
  };
  assertEquals(
    [0, 1, 2, 3, 4].map((at) => {
      const answer = read(ways, at);
      return answer.is === "different"
        ? /the kernel (.*?)\./.exec(answer.found)?.[1]
        : answer.is;
    }),
    [
      "goes there by the gateway 10",
      "has no way there",
      "absent",
      "says that this address is the node's own",
      "unknown",
    ],
  );
});

Deno.test("a node that has no way, or that address itself, is told what it lacks, and nothing of gateways", () => {
  const stderr =
    "RTNETLINK answers: Network is unreachable\nCommand failed -:1\n";
  const unreached = read({ stdout: `${none}\n`, stderr });
  const own = read({ stdout: `${none}\n${itself}\n` });
  for (const answer of [unreached, own]) {
    if (answer.is !== "different") throw new Error(answer.is);
    assertEquals(/gateway|vxlan/.test(answer.found + answer.remedy), false);
    assertStringIncludes(answer.remedy, "ip addr");
  }
});

Deno.test("a node behind a gateway is no next hop, and the message names the gateway and the ways out", () => {
  const answer = read({ stdout: `${none}\n${byGateway}\n` });
  if (answer.is !== "different") throw new Error(answer.is);
  for (const word of ["worker-2", "10.0.1.12", "gateway 10.0.1.1"]) {
    assertStringIncludes(answer.found, word);
  }
  for (
    const word of [
      ...["routes: aws", "routes: gcp", "routes: vxlan", "routes: bgp"],
      "one segment",
    ]
  ) {
    assertStringIncludes(answer.remedy, word);
  }
});

Deno.test("a node that there is no way to is no next hop", () => {
  const answer = read({
    stdout: `${none}\n`,
    stderr: "RTNETLINK answers: Network is unreachable\nCommand failed -:1\n",
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
  const said =
    "RTNETLINK answers: Operation not permitted\nCommand failed -:1\n";
  assertEquals(read({ stdout: `${none}\n`, stderr: said }).is, "unknown");
  assertEquals(read({ stdout: `${none}\nnonsense` }).is, "unknown");
  assertEquals(read({ stdout: `${none}\n` }).is, "unknown");
  const killed = { code: undefined, stdout: `${none}\n`, ended: "timed out" };
  assertEquals(read(killed as Partial<Outcome>).is, "unknown");
});
