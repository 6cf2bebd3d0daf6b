// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { whileTelling } from "./heartbeat.ts";

Deno.test("work under way is told of until it ends, and its result handed on", async () => {
  const lines: string[] = [];
  let end: (result: number) => void = () => {};
  const work = new Promise<number>((resolve) => {
    end = resolve;
  });
  const tell = (line: string) => {
    lines.push(line);
    if (lines.length === 2) end(7);
  };
  assertEquals(await whileTelling("master: kubeadm init", tell, work, 1), 7);
  assertEquals(lines.length, 2);
  assertMatch(lines[0] ?? "", /^master: kubeadm init: \d+ s so far$/);
});

Deno.test("work that is quick, or of which nobody is told, goes by silently", async () => {
  const lines: string[] = [];
  const tell = (line: string) => lines.push(line);
  assertEquals(await whileTelling("a", tell, Promise.resolve(1)), 1);
  assertEquals(await whileTelling("a", undefined, Promise.resolve(2)), 2);
  assert(lines.length === 0);
  await assertRejects(
    () => whileTelling("a", tell, Promise.reject(new Error("broken"))),
    Error,
    "broken",
  );
});
