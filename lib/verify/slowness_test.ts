// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import type { Path, Tried } from "./matrix.ts";
import {
  blameLoad,
  readLoad,
  secondLimit_ms,
  slowRemarks,
} from "./slowness.ts";

const path: Path = {
  kind: "pod-to-pod-other-node",
  from: "worker-1",
  to: "worker-2",
};
const expected = { answer: "yes", as: "pod" } as const;
const silent: Tried = {
  path,
  expected,
  expectedSource: "10.244.1.3",
  observed: { answer: "no", said: "no answer" },
};
const late: Tried = {
  ...silent,
  observed: { answer: "yes", source: "10.244.1.3" },
  slow_ms: 12_000,
};
const busy = new Map([["worker-2", { load: 97.2, cpus: 2 }]]);
const idle = new Map([["worker-2", { load: 0.2, cpus: 2 }]]);

Deno.test("the load of a machine is read from what it prints", () => {
  assertEquals(readLoad("97.20 60.11 24.03 98/412 21043\n2\n"), {
    load: 97.2,
    cpus: 2,
  });
  assertEquals(readLoad(""), undefined);
  assertEquals(readLoad("cat: /proc/loadavg: No such file\n2\n"), undefined);
});

Deno.test("a second try has more time the longer the first one took, up to half a minute", () => {
  assertEquals(secondLimit_ms(1_500, 1_600), 4_800);
  assertEquals(secondLimit_ms(1_500, 400), 4_500);
  assertEquals(secondLimit_ms(1_500, 60_000), 30_000);
});

Deno.test("a path that answers late is told as slow, with the load of a busy machine", () => {
  assertEquals(slowRemarks([late, silent], busy), [
    "Slow, not broken: 1 of 2 paths answered only when they were given 12 s " +
    "(worker-1 → worker-2); the load is worker-2 97.2 on 2 CPUs",
  ]);
  assertEquals(slowRemarks([silent], busy), []);
});

Deno.test("a guess at a cause gives way to the load of a busy machine, a fault that was found does not", () => {
  const guess = {
    kind: "unknown",
    on: "worker-1",
    what: "nothing that the stages did is missing",
    evidence: [],
    remedies: [],
  } as const;
  const told = (kind: "unknown" | "rule", loads: typeof busy) => {
    const cause = { ...guess, kind };
    return blameLoad(new Map([[path, cause]]), [silent], loads).get(path)?.what;
  };
  assertEquals(
    told("unknown", busy),
    "worker-2 is so busy (load 97.2 on 2 CPUs) that nothing can be said of " +
      "paths that have no answer in time",
  );
  assertEquals(told("unknown", idle), guess.what);
  assertEquals(told("rule", busy), guess.what);
});
