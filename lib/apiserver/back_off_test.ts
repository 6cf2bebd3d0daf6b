// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { backOff, pause } from "./back_off.ts";

Deno.test("waits double up to the longest, half of each by chance, and begin anew once all is well", () => {
  const least = backOff(100, 1000, () => 0);
  const waits = () => Array.from({ length: 6 }, () => least.next_ms());
  assertEquals(waits(), [50, 100, 200, 400, 500, 500]);
  least.reset();
  assertEquals(least.next_ms(), 50);
  const most = backOff(100, 1000, () => 1);
  assertEquals([most.next_ms(), most.next_ms()], [100, 200]);
});

Deno.test("a pause ends with its signal", async () => {
  const ending = new AbortController();
  const paused = pause(1_000_000, ending.signal);
  ending.abort();
  await paused;
  await pause(1_000_000, ending.signal);
});
