/** The studio's door, tried as attackers try it: by raw requests to a real port. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { openAccess } from "./access.ts";
import { openSeat } from "./seat.ts";
import { handlerOf, json } from "./server.ts";

/** A server as the studio's is, whose routes tell whether they were reached. */
function serve() {
  const access = openAccess();
  const reached: string[] = [];
  const seat = openSeat({ taken: () => {}, left: () => {} });
  const page = { type: "text/html", bytes: new Uint8Array() };
  const handler = handlerOf(access, new Map([["/", page]]), {
    "GET /events": ({ query }) => {
      reached.push("events");
      return seat.sit(query.get("page") ?? "", query.has("takes"));
    },
    "POST /run": ({ body }) => {
      reached.push(`run ${JSON.stringify(body)}`);
      return json({});
    },
    "GET /terminal": ({ request }) => {
      reached.push("terminal");
      return Deno.upgradeWebSocket(request).response;
    },
  });
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, handler);
  const { port } = server.addr;
  return {
    port,
    access,
    reached,
    /** Sends a request as it is written, and gives the answer's head and body. */
    raw: (lines: readonly string[], body = "") =>
      raw(
        port,
        lines.some((line) => line.startsWith("Upgrade"))
          ? [...lines, "Connection: Upgrade"]
          : [...lines, "Connection: close"],
        body,
      ),
    /** Comes in by the secret, and gives the cookie. */
    async cookie(): Promise<string> {
      const secret = access.renew();
      const answer = await raw(port, [
        `GET /?secret=${secret} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        "Connection: close",
      ]);
      const [, cookie = ""] = /^set-cookie: ([^;]*)/m.exec(answer) ?? [];
      return cookie;
    },
    async [Symbol.asyncDispose]() {
      seat.close();
      await server.shutdown();
    },
  };
}

async function raw(
  port: number,
  lines: readonly string[],
  body = "",
): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const head = [...lines, "", ""].join("\r\n");
  await connection.write(new TextEncoder().encode(head + body));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let said = "";
  // A stream that is open, and a WebSocket, do not end: their heads are enough.
  const isEnough = () =>
    /^HTTP\/1.1 (101|[45].*\r\n\r\n.)/s.test(said) || /\n:\s/.test(said);
  while (!isEnough()) {
    const count = await connection.read(buffer);
    if (count === null) break;
    said += decoder.decode(buffer.subarray(0, count));
  }
  return said;
}

const status = (answer: string) => Number(answer.split(" ")[1]);

Deno.test("the secret opens the page once, and is changed for a cookie that no script and no other site has", async () => {
  await using server = serve();
  const { port, raw, access } = server;
  const host = `Host: 127.0.0.1:${port}`;
  const secret = access.renew();
  assertEquals(secret.length, 64);
  const first = await raw([`GET /?secret=${secret} HTTP/1.1`, host]);
  assertEquals(status(first), 200);
  assertStringIncludes(first, "; Path=/; HttpOnly; SameSite=Strict");
  // A redirect would be followed without the cookie: the browser came from elsewhere.
  assertStringIncludes(first, 'http-equiv="refresh" content="0; url=/"');
  const [, cookie] = /^set-cookie: ([^;]*)/m.exec(first) ?? [];
  const again = await raw([`GET /?secret=${secret} HTTP/1.1`, host]);
  assertEquals(status(again), 403);
  assert(!again.includes("set-cookie"));
  const page = await raw(["GET / HTTP/1.1", host, `Cookie: ${cookie}`]);
  assertEquals(status(page), 200);
  for (
    const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors"]
  ) assertStringIncludes(page, part);
  const guess = await raw([`GET /?secret=${"0".repeat(64)} HTTP/1.1`, host]);
  assertEquals(status(guess), 403);
});

Deno.test("without the cookie, with another one, or with one of another server, nothing is done", async () => {
  await using server = serve();
  const { port, raw, reached } = server;
  const host = `Host: 127.0.0.1:${port}`;
  const origin = `Origin: http://127.0.0.1:${port}`;
  const name = `deno-cni-studio-${port}`;
  await using other = serve();
  const [, stolen] = (await other.cookie()).split("=");
  const cookies = [
    [],
    ["Cookie: "],
    [`Cookie: ${name}=`],
    [`Cookie: ${name}=${"0".repeat(64)}`],
    [`Cookie: ${name}=${stolen}`],
    [`Cookie: x=${stolen}`],
  ];
  for (const cookie of cookies) {
    for (
      const [line, ...more] of [
        ["GET / HTTP/1.1"],
        ["GET /events?page=a HTTP/1.1"],
        ["GET /terminal HTTP/1.1", "Upgrade: websocket", origin],
        ["POST /run HTTP/1.1", origin, "Content-Length: 0"],
      ]
    ) {
      const answer = await raw([line ?? "", host, ...more, ...cookie]);
      assertEquals(status(answer), 401, `${line} ${cookie}`);
    }
  }
  assertEquals(reached, []);
});

Deno.test("another site's name for this machine is refused, also with the cookie (DNS rebinding)", async () => {
  await using server = serve();
  const { port, raw, reached } = server;
  const cookie = `Cookie: ${await server.cookie()}`;
  const lines = [
    ["GET /events?page=a HTTP/1.1", `Host: example.org:${port}`],
    ["GET /events?page=a HTTP/1.1", `Host: 127.0.0.1.example.org:${port}`],
    ["GET /events?page=a HTTP/1.1", `Host: localhost.example.org`],
    [
      `GET http://127.0.0.1:${port}/events?page=a HTTP/1.1`,
      "Host: example.org",
    ],
    [
      `GET http://example.org/events?page=a HTTP/1.1`,
      `Host: 127.0.0.1:${port}`,
    ],
  ];
  for (const [line = "", host = ""] of lines) {
    const answer = await raw([line, host, cookie]);
    assert([400, 403].includes(status(answer)), `${line} ${host}: ${answer}`);
  }
  assertEquals(reached, []);
});

Deno.test("a page from elsewhere may neither post, nor listen, nor open a WebSocket, though the browser sends the cookie", async () => {
  await using server = serve();
  const { port, raw, reached } = server;
  const base = [`Host: 127.0.0.1:${port}`, `Cookie: ${await server.cookie()}`];
  const socket = [
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  ];
  const elsewhere = [
    ["Origin: http://example.org"],
    ["Origin: null"],
    // Of the same site, for cookies know no ports.
    ["Origin: http://127.0.0.1:1"],
    [`Origin: https://127.0.0.1:${port}`],
    [],
  ];
  for (const origin of elsewhere) {
    const post = await raw(
      [
        "POST /run HTTP/1.1",
        ...base,
        ...origin,
        "Content-Type: application/json",
        "Content-Length: 2",
      ],
      "{}",
    );
    assertEquals(status(post), 403, `${origin}`);
    const upgrade = await raw([
      "GET /terminal HTTP/1.1",
      ...base,
      ...origin,
      ...socket,
    ]);
    assertEquals(status(upgrade), 403, `${origin}`);
  }
  for (const site of ["cross-site", "same-site"]) {
    const line = "GET /events?page=a HTTP/1.1";
    const answer = await raw([line, ...base, `Sec-Fetch-Site: ${site}`]);
    assertEquals(status(answer), 403);
  }
  assertEquals(reached, []);
});

Deno.test("the page itself may post JSON, and only that, no more than it needs, and open a WebSocket", async () => {
  await using server = serve();
  const { port, raw, reached } = server;
  const own = [
    `Host: 127.0.0.1:${port}`,
    `Cookie: ${await server.cookie()}`,
    `Origin: http://127.0.0.1:${port}`,
  ];
  const post = (type: string, body: string) =>
    raw([
      "POST /run HTTP/1.1",
      ...own,
      `Content-Type: ${type}`,
      `Content-Length: ${body.length}`,
    ], body);
  assertEquals(status(await post("text/plain", "{}")), 415);
  assertEquals(status(await post("application/json", "{")), 400);
  const long = JSON.stringify("x".repeat(20_000));
  assertEquals(status(await post("application/json", long)), 413);
  // One that does not say its length beforehand.
  const chunked = (body: string) =>
    raw([
      "POST /run HTTP/1.1",
      ...own,
      "Content-Type: application/json",
      "Transfer-Encoding: chunked",
    ], `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
  assertEquals(status(await chunked(long)), 413);
  assertEquals(status(await chunked('{"b":1}')), 200);
  const far = await raw([`GET /?${"x".repeat(5_000)} HTTP/1.1`, ...own]);
  assertEquals(status(far), 414);
  assertEquals(status(await post("application/json", '{"a":1}')), 200);
  const upgrade = await raw([
    "GET /terminal HTTP/1.1",
    ...own,
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  ]);
  assertEquals(status(upgrade), 101);
  assertEquals(reached, ['run {"b":1}', 'run {"a":1}', "terminal"]);
});
