// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { greets } from "./sshd_greeting.ts";

/** Whether a server that says this greets. */
async function saying(text: string): Promise<boolean> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serve = (async () => {
    using connection = await listener.accept();
    await connection.write(new TextEncoder().encode(text));
  })();
  const answer = await greets("127.0.0.1", listener.addr.port);
  await serve;
  listener.close();
  return answer;
}

Deno.test("a server greets that says it is one of SSH", async () => {
  assertEquals(await saying("SSH-2.0-OpenSSH_9.6p1 Ubuntu\r\n"), true);
});

Deno.test("another server, one that hangs up, and none at all do not greet", async () => {
  assertEquals(await saying("HTTP/1.0 400 Bad Request\r\n"), false);
  assertEquals(await saying(""), false);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  assertEquals(await greets("127.0.0.1", port), false);
});
