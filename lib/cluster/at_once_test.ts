// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects } from "@std/assert";
import { turnsOf } from "./at_once.ts";

/** Begins five works, each of which ends when it is told to. */
function five(provider: "lab" | "ssh") {
  const turn = turnsOf({ provider }, 2);
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const works = [0, 1, 2, 3, 4].map((number) =>
    turn(() => {
      begun.push(number);
      return new Promise<number>((resolve) => {
        ends[number] = () => resolve(number);
      });
    })
  );
  return { begun, ends, works };
}

Deno.test("a lab's nodes have their turns in order, some at one time", async () => {
  const { begun, ends, works } = five("lab");
  assertEquals(begun, [0, 1]);
  ends[1]?.();
  await works[1];
  await Promise.resolve();
  assertEquals(begun, [0, 1, 2]);
  for (const [number, work] of works.entries()) {
    ends[number]?.();
    assertEquals(await work, number);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(begun, [0, 1, 2, 3, 4]);
});

Deno.test("machines of their own are all worked on at once", async () => {
  const { begun, ends, works } = five("ssh");
  assertEquals(begun, [0, 1, 2, 3, 4]);
  for (const end of ends) end();
  await Promise.all(works);
});

Deno.test("work that fails leaves its turn to the next", async () => {
  const turn = turnsOf({ provider: "lab" }, 1);
  const failed = turn(() => Promise.reject(new Error("broken")));
  const next = turn(() => Promise.resolve("done"));
  await assertRejects(() => failed, Error, "broken");
  assertEquals(await next, "done");
});
