/** The way to the page. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { openBrowser, tunnelLine } from "./browser.ts";

Deno.test("over ssh, the line for the user's own machine names this one as it was entered", () => {
  const line = (SSH_CONNECTION: string) =>
    tunnelLine({ SSH_CONNECTION, LOGNAME: "ann" }, 8090);
  assertEquals(
    line("192.0.2.7 40000 192.0.2.1 22"),
    "ssh -N -L 8090:127.0.0.1:8090 ann@192.0.2.1",
  );
  assertEquals(
    line("2001:db8::7 40000 2001:db8::1 2222"),
    "ssh -N -L 8090:127.0.0.1:8090 -p 2222 ann@2001:db8::1",
  );
  assertEquals(line(""), undefined);
  assertEquals(tunnelLine({}, 8090), undefined);
});

Deno.test("a browser is given a file that others cannot read, not the secret as an argument", async () => {
  const folder = await Deno.makeTempDir();
  const { PATH = "", DISPLAY = "" } = Deno.env.toObject();
  try {
    await Deno.writeTextFile(
      `${folder}/xdg-open`,
      `#!/bin/sh\nstat -c '%a' "$1" >${folder}/said; cat "$1" >>${folder}/said\n`,
      { mode: 0o755 },
    );
    Deno.env.set("PATH", `${folder}:${PATH}`);
    Deno.env.set("DISPLAY", ":0");
    await openBrowser("http://127.0.0.1:1/?secret=abc", folder);
    const said = await Deno.readTextFile(`${folder}/said`);
    assertStringIncludes(said, "600\n");
    assertStringIncludes(said, "url=http://127.0.0.1:1/?secret=abc");
  } finally {
    Deno.env.set("PATH", PATH);
    if (DISPLAY === "") Deno.env.delete("DISPLAY");
    else Deno.env.set("DISPLAY", DISPLAY);
    await Deno.remove(folder, { recursive: true });
  }
});
