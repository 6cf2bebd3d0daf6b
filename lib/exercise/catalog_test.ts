/** What holds of every exercise's data and texts. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dualCluster, labCluster } from "../cluster/cluster_testing.ts";
import {
  explanationText,
  hintText,
  listText,
  problemsText,
  storyText,
} from "./text.ts";
import { exerciseData, exercises } from "./catalog.ts";
import { explainExercise } from "./actions.ts";
import { difficulties, layers } from "./exercise.ts";

const names = { name: "lab", stateDir: "/state/lab" };
const lab = labCluster(names);
const dual = { ...dualCluster(names), file: lab.file };

Deno.test("there are at least 24, in four steps over all layers, each with an id of its own; the step-4 ones have two faults", () => {
  const all = exercises(lab);
  assert(all.length >= 24, `${all.length}`);
  assertEquals(new Set(all.map(({ id }) => id)).size, all.length);
  assertEquals(
    new Set(exercises(dual).flatMap(({ layers }) => layers)),
    new Set(layers),
  );
  const steps = all.map(({ difficulty }) => difficulty);
  assertEquals([...new Set(steps)].map(String), Object.keys(difficulties));
  assertEquals(steps, steps.toSorted());
  for (const { id, difficulty, faults, repairs, layers } of all) {
    assertEquals(faults.length > 1, difficulty === 4, id);
    assertEquals(layers.length > 1, difficulty === 4, id);
    assert(repairs.length >= faults.length, id);
  }
});

Deno.test("nothing is empty, and every name in the data is a cluster's own", () => {
  for (const cluster of [lab, dual]) {
    for (const exercise of exercises(cluster)) {
      const text = JSON.stringify(exercise);
      assert(!/[:,[]""/.test(text), text);
      assertEquals(/\{\w+\}/.exec(text), null, exercise.id);
    }
  }
  assertEquals(exercises(dual).length, exerciseData.length);
  const four = exerciseData.filter(({ family }) => family === undefined);
  assertEquals(exercises(lab).map(({ id }) => id), four.map(({ id }) => id));
});

Deno.test("a title and a story do not name the stage or what it does", () => {
  for (const cluster of [lab, dual]) {
    for (const { id, title, story } of exercises(cluster)) {
      const tell =
        /iptables (-|rule)|FORWARD|ip route add|gateway|MASQ|\bNAT\b|sysctl|\bMTU\b|nft/;
      assertEquals(tell.exec(`${title} ${story}`), null, id);
    }
  }
});

Deno.test("a hint contains no repair, and no stage's name in its line", () => {
  for (const { id, hints, repairs, mends } of exercises(lab)) {
    assertEquals(hints.length, 2, id);
    for (const { says, run } of hints) {
      for (const repair of repairs) {
        const line = "stage" in repair ? repair.stage : repair.run;
        assert(!`${says} ${run}`.includes(line), `${id}: ${run}`);
      }
      for (const mend of mends) assert(!run.includes(mend), `${id}: ${run}`);
    }
  }
});

Deno.test("what an exercise says fits a terminal, and its lines name another cluster's file", () => {
  const all = exercises(lab);
  const listed = all.map((exercise) => ({
    exercise,
    state: "not begun" as const,
  }));
  const texts = [
    listText(listed, true, lab),
    ...all.flatMap((one) => [
      storyText(one, one.number, lab),
      storyText(one, "surprise", lab),
      problemsText("", one.trials?.map(({ says }) => says) ?? []),
    ]),
  ];
  for (const text of texts) {
    assert(text.split("\n").every((line) => [...line].length <= 80), text);
  }
  // Lines to paste are as long as they are.
  const prose = all.flatMap((one) => [
    hintText(one, 2, one.number, lab),
    explanationText(one, explainExercise(one)),
  ]).flatMap((text) => text.split("\n")).filter((line) =>
    !/^ {2}make /.test(line)
  );
  assertEquals(prose.filter((line) => [...line].length > 80), []);
  const other = { ...lab, file: "config/other.yaml" };
  for (const exercise of exercises(other)) {
    const { mends, shows, hints } = exercise;
    for (const line of [...mends, shows, ...hints.map(({ run }) => run)]) {
      assertStringIncludes(line, "CLUSTER=config/other.yaml");
    }
    assertStringIncludes(
      storyText(exercise, exercise.number, other),
      "-check CLUSTER=config/other.yaml",
    );
  }
});

Deno.test("a surprise tells neither title nor story nor number", () => {
  for (const exercise of exercises(lab)) {
    const text = storyText(exercise, "surprise", lab);
    assert(!text.includes(exercise.title) && !text.includes(exercise.story));
    assert(!/exercise \d/.test(text), text);
  }
});

Deno.test("hints are given one by one, and their end is said", () => {
  const [first] = exercises(lab);
  assert(first);
  const one = hintText(first, 1, 1, lab);
  assertStringIncludes(one, "Hint 1 of 2");
  assert(!one.includes("Hint 2"), one);
  assertStringIncludes(one, "make exercise 1-hint says more");
  assertStringIncludes(hintText(first, 2, 1, lab), "There are no more hints;");
});

Deno.test("a cluster without IPv4 has the exercises that break a whole stage", () => {
  const cluster = {
    ...dual,
    clusterCIDRs: dual.clusterCIDRs.filter((cidr) => cidr.includes(":")),
  };
  assertEquals(exercises(cluster).map(({ number }) => number), [1, 2, 3]);
});
