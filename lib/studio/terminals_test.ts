/** Terminals as a page has them that sends more than a person types. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { openTerminals } from "./terminals.ts";

Deno.test("what is more than can be typed ends its terminal, and nothing piles up", async () => {
  const terminals = openTerminals();
  const size = { columns: 80, rows: 24 };
  // It reads nothing.
  const command = cmd`sleep 600`;
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => terminals.open(request, size, () => Promise.resolve(command)),
  );
  const closed = async (lengths: readonly number[]): Promise<number> => {
    const socket = new WebSocket(`ws://127.0.0.1:${server.addr.port}/`);
    socket.addEventListener("open", () => {
      for (const length of lengths) {
        socket.send(new Uint8Array(length).fill("\n".charCodeAt(0)));
      }
    });
    return await new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => resolve(code));
    });
  };
  assertEquals(await closed([2_000_000]), 1009);
  // What was sent and not read any more may be the end of it before the code.
  const code = await closed(Array.from({ length: 30 }, () => 50_000));
  assert(code !== 1000, `${code}`);
  await terminals.close();
  await server.shutdown();
});
