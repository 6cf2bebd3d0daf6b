// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { columns, wrap, wrapCommand, wrapLines } from "./wrap.ts";

const words = Array.from({ length: 40 }, (_, at) => `word${at}`).join(" ");

Deno.test("wrapped text keeps all its words, in lines that fit, under their own indentation", () => {
  const text = wrap(words, "  - ", "    ");
  const lines = text.split("\n");
  assert(lines.length > 3);
  assert(lines.every((line) => line.length <= 79), text);
  assert(lines.slice(1).every((line) => line.startsWith("    word")), text);
  assertEquals(text.slice(4).split(/\s+/).join(" "), words);
});

Deno.test("a word that is longer than a line stays whole", () => {
  const long = "x".repeat(100);
  assertEquals(wrap(`a ${long} b`), `a\n${long}\nb`);
});

Deno.test("lines that fit stay as they are, however they are spaced", () => {
  const table = 'a      b\n       ✗ no\n    mend: make x ARGS="' +
    `${words}"`;
  assertEquals(wrapLines(`${table}\n  ${words}`).slice(0, table.length), table);
});

Deno.test("what sets a colour takes no room: a coloured row of a table stays whole where a plain one does", () => {
  const green = (text: string) => `\x1b[1;32m${text}\x1b[0m`;
  const cell = "▸ yes, as the pod".padEnd(18);
  for (const [most, cells] of [[79, 3], [119, 5]] as const) {
    const row = "pod → pod, other node".padEnd(24) + cell.repeat(cells);
    const coloured = row.replaceAll("▸ yes, as the pod", green("$&"));
    assertEquals(wrapLines(row, most), row);
    assertEquals(wrapLines(coloured, most), coloured);
    const long = green(`${words} ${words}`);
    // deno-lint-ignore no-control-regex
    const plain = wrapLines(long, most).replace(/\x1b\[[\d;]*m/g, "");
    assertEquals(plain, wrapLines(`${words} ${words}`, most));
  }
});

Deno.test("a wrapped command is the same command for a shell, and an option stays with its value", async () => {
  const rule = [
    ...["-w", "-t", "nat", "-A", "POSTROUTING", "-s", "10.244.1.0/24"],
    ...["!", "-d", "10.244.0.0/16", "!", "-o", "cni0"],
    ...["-m", "comment", "--comment", "it's deno-cni", "-j", "MASQUERADE"],
  ];
  const text = wrapCommand(cmd`echo ${rule} ${rule}`, "  ");
  const lines = text.split("\n");
  assert(lines.length > 2 && lines.every((line) => line.length <= 79), text);
  for (const line of lines) {
    assert(!/(^|\s)(-\w|!)( \\)?$/.test(line), `an option ends: ${line}`);
  }
  const { stdout } = await new Deno.Command("sh", { args: ["-c", text] })
    .output();
  assertEquals(
    new TextDecoder().decode(stdout).trim(),
    [...rule, ...rule].join(" "),
  );
});

Deno.test("columns stand side by side where they fit, else below each other", () => {
  assertEquals(
    columns([["make up", "goes on"], ["make", "begins"]]),
    "  make up  goes on\n  make     begins",
  );
  const long = `make up CLUSTER=${"x".repeat(70)}`;
  assertEquals(columns([[long, "goes on"]]), `  ${long}\n      goes on`);
});
