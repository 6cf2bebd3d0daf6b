/** What the page may ask of an exercise, and what it is answered. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertThrows } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { exerciseAnswer, readExerciseOrder } from "./exercise_orders.ts";
import { RefusedError } from "./server.ts";

const cluster = {
  ...labCluster({ name: "lab", stateDir: "/nowhere" }),
  file: "config/lab.yaml",
};

const order = (exercise: string, verb: string) =>
  readExerciseOrder({ exercise, verb }, cluster);

Deno.test("a button of an exercise runs the command line's own script", () => {
  assertEquals(order("7", "start"), {
    ...{ word: 7, verb: "start", title: "make exercise 7" },
    args: ["7", "-o", "json"],
  });
  const { title, args } = order("surprise", "check");
  assertEquals(title, "make exercise surprise-check");
  assertEquals(args, ["surprise-check", "-o", "json"]);
});

Deno.test("what is no exercise, no verb, or would be a flag is refused", () => {
  const wrong: readonly unknown[] = [
    undefined,
    {},
    { exercise: 7, verb: "check" },
    { exercise: "7" },
    { exercise: "7", verb: "solve" },
    { exercise: "7", verb: "__proto__" },
    { exercise: "--help", verb: "start" },
    { exercise: "7-check", verb: "start" },
    { exercise: "1000", verb: "start" },
  ];
  for (const given of wrong) {
    assertThrows(() => readExerciseOrder(given, cluster), RefusedError);
  }
});

Deno.test("what is still wrong, what it was, and why nothing was done are told as the script tells them", () => {
  const check = order("surprise", "check");
  const open = '{"solved":false,"problems":["a: no\\nmake b"]}';
  assertEquals(exerciseAnswer(check, open, ""), {
    says: "The surprise is not solved yet",
    isWell: false,
    problems: ["a: no\nmake b"],
  });
  const solved = exerciseAnswer(
    check,
    '{"solved":true,"problems":[],"number":9,"says":"s","shows":"t","part":"p","mends":["m"]}',
    "",
  );
  assertEquals(solved, {
    says: "Solved: everything works, and nothing else is changed.",
    isWell: true,
    problems: [],
    explanation: { number: 9, says: "s", shows: "t", mends: ["m"] },
  });
  const refused = "another run is at work\nwhat to do: wait for it\n";
  assertEquals(exerciseAnswer(order("1", "start"), "", refused), {
    says: refused.trim(),
    isWell: false,
    problems: [],
  });
});
