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
  assertEquals(await tellingIfSlow("08-routes: routes", tell, slow, 1), 7);
  assertEquals(lines, ["08-routes: routes …"]);
  await tellingIfSlow("a", tell, Promise.resolve(1), 1);
  await tellingIfSlow("a", undefined, slow, 1);
  assertEquals(lines.length, 1);
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
