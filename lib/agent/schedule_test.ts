// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { type Pace, type RunOutcome, schedule } from "./schedule.ts";

const pace: Pace = {
  gather_ms: 1,
  regular_ms: 1_000_000,
  first_ms: 20,
  longest_ms: 40,
  quiet_ms: 1_000_000,
};

/** A schedule whose runs last until they are ended from outside. */
function held(pace: Pace) {
  const begun: (readonly string[])[] = [];
  let end: (outcome: RunOutcome) => void = () => {};
  const work = schedule((why) => {
    begun.push(why);
    return new Promise((resolve) => {
      end = resolve;
    });
  }, pace);
  return {
    ...work,
    begun,
    end: (outcome: RunOutcome) => end(outcome),
    async until(count: number) {
      while (begun.length < count) {
        await new Promise((go) => setTimeout(go, 1));
      }
    },
  };
}

Deno.test("what comes together is one run, and what comes during it is the next one", async () => {
  const work = held(pace);
  work.request("a node joined");
  work.request("a rule was removed");
  work.request("a node joined");
  await work.until(1);
  assertEquals(work.begun, [["a node joined", "a rule was removed"]]);
  assert(work.since() !== undefined);
  work.request("later");
  work.request("later still");
  await new Promise((go) => setTimeout(go, 5));
  assertEquals(work.begun.length, 1);
  work.end("clean");
  await work.until(2);
  assertEquals(work.begun[1], ["later", "later still"]);
  work.end("clean");
  await work.stop();
  assertEquals(work.since(), undefined);
});

Deno.test("what failed is tried again without being asked, and what comes meanwhile goes with it", async () => {
  const work = held(pace);
  work.request("first");
  await work.until(1);
  work.end("failed");
  await work.until(2);
  assertEquals(work.begun[1], ["it was time"]);
  work.end("failed");
  await Promise.resolve();
  work.request("meanwhile");
  await work.until(3);
  assertEquals(work.begun[2], ["meanwhile"]);
  work.end("clean");
  await work.stop();
});

Deno.test("after a change it looks whether that holds, so changes that do not come back never make it wait long", async () => {
  const work = held({ ...pace, longest_ms: 1_000_000 });
  for (let change = 0; change < 20; change++) {
    work.request("a rule was removed");
    await work.until(2 * change + 1);
    work.end("changed");
    await work.until(2 * change + 2);
    assertEquals(work.begun.at(-1), ["whether what was done holds"]);
    work.end("clean");
    await Promise.resolve();
  }
  await work.stop();
});

Deno.test("after a failure, what may be of the run's own doing waits, and what comes later does not", async () => {
  const long = { first_ms: 1_000_000, longest_ms: 1_000_000, quiet_ms: 30 };
  const work = held({ ...pace, ...long });
  work.request("first");
  await work.until(1);
  work.end("failed");
  await Promise.resolve();
  work.request("its own");
  await new Promise((go) => setTimeout(go, 40));
  assertEquals(work.begun.length, 1);
  work.request("another's");
  await work.until(2);
  assertEquals(work.begun[1], ["its own", "another's"]);
  work.end("clean");
  await work.stop();
});

Deno.test("it runs from time to time when nothing happens, and not after its end", async () => {
  const work = held({ ...pace, regular_ms: 2 });
  work.request("first");
  await work.until(1);
  work.end("clean");
  await work.until(2);
  assertEquals(work.begun[1], ["it was time"]);
  const stopped = work.stop();
  work.end("changed");
  await stopped;
  work.request("too late");
  await new Promise((go) => setTimeout(go, 10));
  assertEquals(work.begun.length, 2);
});
