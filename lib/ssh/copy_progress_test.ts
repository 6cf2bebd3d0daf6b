// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { progressLine } from "./copy_progress.ts";

const entry = (node: string, moved_bytes: number, size_bytes = 40_000_000) => ({
  node,
  size_bytes,
  moved_bytes,
});

Deno.test("the progress of copies is a line, node by node", () => {
  const entries = [entry("master", 39_999_999), entry("worker-1", 0)];
  assertEquals(
    progressLine("deno", entries, 80),
    "copying deno (80 MB): master 99%, worker-1 0%",
  );
  assertEquals(
    progressLine("empty", [entry("master", 0, 0)], 80),
    "copying empty (0 MB): master 100%",
  );
});

Deno.test("a line that is too long for the terminal is cut, never wrapped", () => {
  const entries = Array.from({ length: 50 }, (_, at) => entry(`n${at}`, 0));
  const line = progressLine("deno", entries, 79);
  assertEquals([line.length, line.at(-1)], [79, "…"]);
});
