/** The page's files. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { pageAssets } from "./assets.ts";

async function unpacked(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const stream = new Blob([bytes]).stream();
  return await new Response(
    stream.pipeThrough(new DecompressionStream("gzip")),
  ).text();
}

Deno.test("the page is small, whole, and loads nothing from elsewhere", async () => {
  const assets = await pageAssets();
  assertEquals([...assets.keys()], ["/", "/main.js", "/main.css"]);
  let sum = 0;
  for (const { bytes } of assets.values()) sum += bytes.length;
  assert(sum < 200_000, `${sum} bytes`);
  const html = await unpacked(assets.get("/")!.bytes);
  const css = await unpacked(assets.get("/main.css")!.bytes);
  const loads = `${html}${css}`.matchAll(
    /(?:src|href)="([^"]*)"|url\(([^)]*)\)/g,
  );
  for (const [, attribute, url] of loads) {
    assert(/^(data:|\/main\.)/.test(attribute ?? url ?? ""), attribute ?? url);
  }
  assert(!/@import/.test(css));
});
