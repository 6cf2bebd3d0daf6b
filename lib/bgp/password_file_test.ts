/** The file with the password of all sessions: what is taken from it, and what is said of one that will not do. */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { passwordIn } from "./password_file.ts";

const expected =
  "expected the password of the sessions in the first line of a file (bgp.passwordFile)";
const most = "x".repeat(80);

Deno.test("a file's first line is the password, and one that will not do is told in a line", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/password`;
  const cases: readonly (readonly [
    holds: string | Uint8Array,
    mode: number,
    said: string,
  ])[] = [
    ["secret", 0o600, "secret\n"],
    ["secret\n", 0o400, "secret\n"],
    ["secret\nand more\n", 0o600, "secret\n"],
    [" a \\b $x `y` ~ \n", 0o600, " a \\b $x `y` ~ \n"],
    [most, 0o600, `${most}\n`],
    ["", 0o600, `is empty; ${expected}`],
    [
      "\nsecret\n",
      0o600,
      "has an empty first line; expected the password there",
    ],
    [
      "secret\n",
      0o644,
      `may be read by others; expected mode 600: chmod 600 ${file}`,
    ],
    [
      `${most}x`,
      0o600,
      "has a password of more than 80 bytes, which TCP cannot take (RFC 2385)",
    ],
    [
      "x".repeat(2_000_000),
      0o600,
      "has a password of more than 80 bytes, which TCP cannot take (RFC 2385)",
    ],
    ['a"b\n', 0o600, 'has a password with a ", which bird cannot take'],
    ...["secret\r\n", "a\tb\n", "\0\0\n"].map((holds) =>
      [
        holds,
        0o600,
        "has a control character in its first line (lines of Windows?)",
      ] as const
    ),
    ...["geheím\n", new Uint8Array([0xff, 0xfe, 0x78])].map((holds) =>
      [
        holds,
        0o600,
        "has a character beyond ASCII in its first line, " +
        "which each program encodes in its own way",
      ] as const
    ),
  ];
  try {
    assertEquals(await said(folder), `is no file; ${expected}`);
    assertEquals(await said(file), `is not there; ${expected}`);
    for (const [holds, mode, text] of cases) {
      await Deno.writeFile(
        file,
        typeof holds === "string" ? new TextEncoder().encode(holds) : holds,
      );
      await Deno.chmod(file, mode);
      assertEquals(await said(file), text);
      await Deno.remove(file);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

/** The password, or what is said of the file. */
async function said(file: string): Promise<string> {
  const outcome = await run(passwordIn(file));
  return succeeded(outcome)
    ? outcome.stdout
    : outcome.stderr.trim().replace(`${file} `, "");
}
