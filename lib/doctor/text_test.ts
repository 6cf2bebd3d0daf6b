/** The doctor's report as text. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { CheckReport, DoctorReport } from "./doctor.ts";
import type { FindingReport } from "./check.ts";
import { doctorText } from "./text.ts";

const fault = {
  is: "fault" as const,
  what: "cni0 is down, and here are some more words that make a long sentence",
  evidence: [{
    where: "worker-1",
    command: "ip -d addr show dev cni0",
    printed: "cni0: bridge, down",
  }],
  mend: ['make 04-bridge ARGS="--node worker-1"'],
};

function check(name: string, ...findings: FindingReport[]): CheckReport {
  return { name, well: `${name} is as it should be`, findings };
}

function reportOf(...checks: CheckReport[]): DoctorReport {
  const node = "worker-1";
  return {
    version: 1,
    cluster: "lab",
    nodes: [{ node, is: "examined", checks }],
  };
}

Deno.test("a finding has its evidence and its remedy below it, the worst first", () => {
  const report = reportOf(
    check("routes"),
    check("mtu", { ...fault, is: "warning", what: "narrow" }),
    check("bridge", fault),
  );
  assertEquals(
    doctorText(report),
    `worker-1
  fault  bridge: cni0 is down, and here are some more words that make a long
    sentence
    worker-1$ ip -d addr show dev cni0
      cni0: bridge, down
    mend: make 04-bridge ARGS="--node worker-1"
  warning  mtu: narrow
    worker-1$ ip -d addr show dev cni0
      cni0: bridge, down
    mend: make 04-bridge ARGS="--node worker-1"
  ok  1 of 3 checks

1 fault, 1 warning`,
  );
});

Deno.test("what is well takes a line, and a line each where somebody asks for it", () => {
  const report = reportOf(
    check("routes"),
    check("bridge", { is: "not yet", what: "no bridge", until: "04-bridge" }),
    check("modules", { is: "does not apply", what: "none here" }),
  );
  const short = doctorText(report);
  assertEquals(
    short,
    `worker-1
  not yet  bridge: until 04-bridge has run
  ok  1 of 3 checks; 1 do not apply here

All well on 1 node, as far as the stages have run`,
  );
  const long = doctorText(report, { verbose: true });
  assertStringIncludes(long, "  ok  routes: routes is as it should be");
  assertStringIncludes(long, "not yet  bridge: no bridge (until 04-bridge)");
  assertEquals(doctorText(report, { quiet: true }), "");
});

Deno.test("a node that does not answer is told also by those who say little", () => {
  const report: DoctorReport = {
    version: 1,
    cluster: "lab",
    nodes: [{ node: "master", is: "unreachable", why: "no answer" }],
  };
  for (const quiet of [true, false]) {
    const text = doctorText(report, { quiet });
    assert(text.startsWith("master\n  unreachable  no answer"));
  }
});
