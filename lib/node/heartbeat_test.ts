// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { tellingIfSlow, whileTelling } from "./heartbeat.ts";

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

Deno.test("work that is not quick is told of once, quick work is not", async () => {
  const lines: string[] = [];
  const tell = (line: string) => void lines.push(line);
  const slow = new Promise<number>((resolve) => {
    setTimeout(() => resolve(7), 30);
  });
  const often = { every_ms: 1 };
  assertEquals(await tellingIfSlow("08-routes: routes", tell, slow, often), 7);
  assertEquals(lines, ["08-routes: routes …"]);
  await tellingIfSlow("a", tell, Promise.resolve(1), often);
  await tellingIfSlow("a", undefined, slow, often);
  assertEquals(lines.length, 1);
});

Deno.test("how far work is, is told as often as that changes", async () => {
  const lines: string[] = [];
  let end: () => void = () => {};
  const work = new Promise<void>((resolve) => {
    end = resolve;
  });
  let steps = 0;
  const tell = (line: string) => {
    lines.push(line);
    if (lines.length < 3) steps += 7;
    else end();
  };
  const soFar = () => `${steps} steps`;
  await tellingIfSlow("a", tell, work, { every_ms: 1, soFar });
  assertEquals(lines, ["a …", "a: 7 steps", "a: 14 steps"]);
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
