// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd, show } from "../exec/command.ts";
import { filledIn, placeholder } from "./placeholders.ts";
import { run } from "../exec/run.ts";

/** What a shell that has the variable makes of a line. */
async function said(line: string, value: string): Promise<string> {
  const { stdout, stderr } = await run(cmd`sh -c ${`web=${value}\n${line}`}`);
  assertEquals(stderr, "");
  return stdout.trim();
}

Deno.test("a shell puts the address where it stood, however deep the quoting", async () => {
  for (
    const [family, address] of [[4, "10.244.1.5"], [6, "fd00::5"]] as const
  ) {
    const stand = placeholder("worker-1", family);
    const url = family === 4 ? `http://${stand}/` : `http://[${stand}]/`;
    const wanted = url.replace(stand, address);
    const bare = cmd`printf ${"%s\\n"} ${url} ${"it's"} ${url}`;
    const once = cmd`sh -c ${show(bare)}`;
    const twice = cmd`sh -c ${show(once)}`;
    for (const command of [bare, once, twice]) {
      assertEquals(
        (await said(
          filledIn(show(command), new Map([[stand, "web"]])),
          address,
        )).split("\n"),
        [wanted, "it's", wanted],
      );
    }
  }
});

Deno.test("a line without the address stays as it is", () => {
  const text = "# it's a comment\nip route show\n";
  assertEquals(
    filledIn(text, new Map([[placeholder("worker-1", 4), "web"]])),
    text,
  );
});

Deno.test("a quote behind a backslash, or in another line, quotes nothing", () => {
  const stand = placeholder("worker-1", 4);
  const variables = new Map([[stand, "web"]]);
  for (
    const [before, bare] of [
      ["it\\'s ", true],
      ["'a backslash \\' ", true],
      ["'it'\\''s ", false],
      ["# it's\n", true],
      ["\\\\'", false],
    ] as const
  ) {
    assertEquals(
      filledIn(before + stand, variables),
      before + (bare ? '"$web"' : `'"$web"'`),
    );
  }
  const other = placeholder("worker-2", 4);
  assertEquals(filledIn(`${other}${stand}`, variables), `${other}"$web"`);
});
