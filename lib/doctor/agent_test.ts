// @ts-types="../std/assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import { hostWith } from "../inventory/host_testing.ts";
import { found, one } from "./doctor_testing.ts";

/** The worker, with an agent that says this of itself. */
function hostOf(age_s: number, more: object) {
  const status = {
    version: "0.1.0",
    lastRun: { outcome: "clean" },
    repaired: 3,
    problems: [],
    api: { server: "https://10.96.0.1:443", isReachable: true },
    ...more,
  };
  const lines = `${age_s}\n${JSON.stringify(status)}`;
  return hostWith([
    /PART plugins\n/g,
    `PART agent\n${lines}\n\nPART plugins\n`,
  ]);
}

const says = (age_s: number, more: object) =>
  found("agent", [], { host: hostOf(age_s, more) })
    .map((finding) => "what" in finding ? finding.what : "");

Deno.test("a node without an agent, and one whose agent is well, have nothing to be told of it", () => {
  assertEquals(one(found("agent", [])).is, "does not apply");
  assertEquals(says(20, {}), []);
});

Deno.test("an agent that is silent, has problems or no API server is warned of", () => {
  assertMatch(
    one(found("agent", [], { host: hostOf(3600, {}) })).is,
    /warning/,
  );
  assertMatch(says(3600, {})[0] ?? "", /nothing for 60 minutes/);
  assertMatch(
    says(20, { problems: ["04-bridge: refused: cni0 is a bridge"] })[0] ?? "",
    /the agent: 04-bridge: refused/,
  );
  const api = {
    server: "https://10.96.0.1",
    isReachable: false,
    why: "no answer within 15 s",
  };
  assertMatch(says(20, { api })[0] ?? "", /API server.*no answer within 15 s/);
});
