// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { type Pace, type RunOutcome, schedule } from "./schedule.ts";

const pace: Pace = {
  gather_ms: 1,
  regular_ms: 1_000_000,
  first_ms: 20,
  longest_ms: 40,
  rest_ms: [1, 1],
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
  await new Promise((go) => setTimeout(go, 2));
  assert(work.busy_ms() > 0);
  work.request("later");
  work.request("later still");
  await new Promise((go) => setTimeout(go, 5));
  assertEquals(work.begun.length, 1);
  work.end("clean");
  await work.until(2);
  assertEquals(work.begun[1], ["later", "later still"]);
  work.end("clean");
  await work.stop();
  assertEquals(work.busy_ms(), 0);
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

Deno.test("a storm of events is a run now and then, with a rest after each", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = schedule(() => {
    begun.push(performance.now());
    ended.push(performance.now());
    return Promise.resolve("clean");
  }, { ...pace, rest_ms: [30, 30] });
  let events = 0;
  while (begun.length < 4) {
    events++;
    work.request("a link changed");
    await new Promise((go) => setTimeout(go, 0));
  }
  await work.stop();
  for (const [at, from] of begun.slice(1).entries()) {
    const rest_ms = from - ended[at]!;
    assert(rest_ms >= 29, `${rest_ms} ms after ${events} events`);
  }
});

Deno.test("a clock that is set forward or back delays nothing", async () => {
  const real = Date.now;
  try {
    for (const by_ms of [-86_400_000, 86_400_000]) {
      const work = held(pace);
      work.request("first");
      await work.until(1);
      work.end("failed");
      await Promise.resolve();
      Date.now = () => real() + by_ms;
      work.request("second");
      await work.until(2);
      work.end("clean");
      await Promise.resolve();
      Date.now = real;
      work.request("third");
      await work.until(3);
      work.end("clean");
      await work.stop();
    }
  } finally {
    Date.now = real;
  }
});

Deno.test("what fails for ever does not keep what comes from its run, what does not stay does", async () => {
  const slow = { ...pace, first_ms: 1_000_000, longest_ms: 1_000_000 };
  const work = held(slow);
  work.request("first");
  await work.until(1);
  work.end("failed");
  await Promise.resolve();
  work.request("a route is gone");
  await work.until(2);
  work.end("repeated");
  await Promise.resolve();
  work.request("a route is gone");
  await new Promise((go) => setTimeout(go, 20));
  assertEquals(work.begun.length, 2);
  await work.stop();
});
