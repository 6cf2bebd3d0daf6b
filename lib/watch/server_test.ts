/** The page's server, asked as a browser asks. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type PageState, watch } from "./server.ts";

const state: PageState = {
  cluster: "lab",
  picture: "<svg/>",
  nodes: ["worker-1"],
  stages: [],
  matrix: { columns: [], rows: [], summary: "", causes: "" },
  said: "first",
};

const at = (path: string, init?: RequestInit) =>
  new Request(`http://127.0.0.1:8090${path}`, init);

/** Reads events until so many have come. */
async function eventsOf(response: Response, count: number): Promise<string[]> {
  const reader = response.body!.pipeThrough(new TextDecoderStream())
    .getReader();
  const found: string[] = [];
  while (found.length < count) {
    const { value, done } = await reader.read();
    if (done) break;
    found.push(...value.split("\n\n").filter((text) => text !== ""));
  }
  await reader.cancel();
  return found;
}

Deno.test("the page comes whole, and may load nothing from elsewhere", async () => {
  const { handler, end } = await watch(() => Promise.resolve(state), 1);
  const response = await handler(at("/"));
  const policy = response.headers.get("content-security-policy") ?? "";
  assertStringIncludes(policy, "default-src 'none'");
  assertStringIncludes(policy, "script-src 'sha256-");
  const html = await response.text();
  assertStringIncludes(html, "What reaches what");
  assert(!/(src|href)=|https?:/.test(html), "the page names another place");
  end();
});

Deno.test("a page is sent what there is, and again only what has changed", async () => {
  let reads = 0;
  const { handler, end } = await watch(() => {
    reads += 1;
    return Promise.resolve({ ...state, said: reads < 4 ? "first" : "second" });
  }, 1);
  const events = await eventsOf(await handler(at("/events")), 2);
  const said = events.map((text) =>
    JSON.parse(text.replace("event: state\ndata: ", "")).said
  );
  assertEquals(said, ["first", "second"]);
  const before = reads;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assertEquals(reads, before, "nobody looks, and the nodes are asked");
  end();
});

Deno.test("a second page is sent at once what the first was sent", async () => {
  const { handler, end } = await watch(() => Promise.resolve(state), 1);
  const [first, second] = await Promise.all([
    handler(at("/events")),
    handler(at("/events")),
  ]);
  const seen = await Promise.all([eventsOf(first, 1), eventsOf(second, 1)]);
  assertEquals(seen[0], seen[1]);
  end();
});

Deno.test("another site's name for this machine, a path that is none and a POST are refused", async () => {
  const { handler, end } = await watch(() => Promise.resolve(state), 1);
  const elsewhere = new Request("http://example.org/");
  assertEquals((await handler(elsewhere)).status, 403);
  assertEquals((await handler(at("/x"))).status, 404);
  assertEquals((await handler(at("/", { method: "POST" }))).status, 405);
  end();
});
