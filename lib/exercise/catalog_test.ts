// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dualCluster, labCluster } from "../cluster/cluster_testing.ts";
import { hintText, listText, storyText } from "./text.ts";
import { exercises } from "./catalog.ts";

const names = { name: "lab", stateDir: "/state/lab" };
const lab = labCluster(names);

Deno.test("a symptom does not name the stage or what it does; the last hint names stage and node", () => {
  const dual = { ...dualCluster(names), file: lab.file };
  for (const cluster of [lab, dual]) {
    for (const exercise of exercises(cluster)) {
      const { stage, hints, on, symptom, title } = exercise;
      const tell = /iptables|FORWARD|route|gateway|masquerade|MASQ|NAT|rule/i;
      assert(!tell.test(`${title} ${symptom}`), symptom);
      assert(!`${title} ${symptom}`.includes(stage));
      assertEquals(hints.at(-1)?.run, `make ${stage} ARGS="--node ${on}"`);
      for (const hint of hints.slice(0, -1)) {
        assert(!hint.run.includes(stage), hint.run);
      }
    }
  }
});

Deno.test("the first hint is the trace between the ends that the story names", () => {
  for (const exercise of exercises(lab)) {
    const trace = `make trace FROM=${exercise.from} TO=${exercise.to}`;
    assertEquals(exercise.hints[0].run, trace);
    assertStringIncludes(storyText(exercise, lab), trace);
  }
});

Deno.test("what an exercise says fits a terminal, and names another cluster's file", () => {
  const all = exercises(lab);
  const texts = [
    listText(all, new Map(), lab),
    ...all.flatMap((one) => [
      storyText(one, lab),
      hintText(one, one.hints.length, lab),
    ]),
  ];
  for (const text of texts) {
    assert(text.split("\n").every((line) => [...line].length < 80), text);
  }
  const other = { ...lab, file: "config/other.yaml" };
  for (const exercise of exercises(other)) {
    for (const { run } of exercise.hints) {
      assertStringIncludes(run, "CLUSTER=config/other.yaml");
    }
    assertStringIncludes(
      storyText(exercise, other),
      "-check CLUSTER=config/other.yaml",
    );
  }
});

Deno.test("hints are given one by one, and their end is said", () => {
  const [first] = exercises(lab);
  assert(first);
  const one = hintText(first, 1, lab);
  assertStringIncludes(one, "Hint 1 of 3");
  assert(!one.includes("Hint 2"), one);
  assertStringIncludes(one, "make exercise 1-hint says more");
  assertStringIncludes(hintText(first, 3, lab), "There are no more hints.");
});
