/** One page at a time. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { openSeat } from "./seat.ts";

/** What a page is told, one by one. */
function hearing(response: Response) {
  const reader = response.body!.getReader();
  const decoder = new TextDecoder();
  return {
    async next(): Promise<string> {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return "end";
        const [, data] = /^data: (.*)$/m.exec(decoder.decode(value)) ?? [];
        if (data !== undefined) return JSON.parse(data).is;
      }
    },
    leave: () => reader.cancel(),
  };
}

const ended = {
  is: "ended",
  run: 1,
  code: 0,
  word: "done",
} as const;

Deno.test("a second page is told that there is a first, which goes on", async () => {
  const seat = openSeat({ taken: () => {}, left: () => {} });
  const first = hearing(seat.sit("a", false));
  const second = hearing(seat.sit("b", false));
  assertEquals([await second.next(), await second.next()], ["occupied", "end"]);
  assertEquals([seat.has("a"), seat.has("b"), seat.has(null)], [
    true,
    false,
    false,
  ]);
  seat.tell(ended);
  assertEquals(await first.next(), "ended");
  seat.close();
});

Deno.test("a page that takes the place of another sends it away, and what it had ends", async () => {
  const left: string[] = [];
  const seat = openSeat({ taken: () => {}, left: (page) => left.push(page) });
  const first = hearing(seat.sit("a", false));
  const second = hearing(seat.sit("b", true));
  assertEquals([await first.next(), await first.next()], ["taken", "end"]);
  assertEquals(left, ["a"]);
  seat.tell(ended);
  assertEquals(await second.next(), "ended");
  seat.close();
});

Deno.test("a page that comes again is the same, and one that is gone leaves its place", async () => {
  const seat = openSeat({ taken: () => {}, left: () => {} });
  const first = hearing(seat.sit("a", false));
  const again = hearing(seat.sit("a", false));
  assertEquals(await first.next(), "end");
  assertEquals(seat.has("a"), true);
  await again.leave();
  assertEquals(seat.isTaken(), false);
  const other = hearing(seat.sit("b", false));
  seat.tell(ended);
  assertEquals(await other.next(), "ended");
  seat.close();
});
