// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { localNode } from "./node.ts";
import { askParts, groupsOf, linesOf, partOf, readParts } from "./parts.ts";

const program = `part one; printf 'a\\n\\nb'
part pod; printf %s "$1"
part pod.links; echo 2
part pod; printf %s "$2"
part two`;

Deno.test("an answer is read part by part, whatever a part holds", async () => {
  const args = ["a\nb", "$(id)"];
  const asked = { name: "ask", program, args };
  const { parts = [] } = await askParts(localNode("here"), asked);
  assertEquals(parts.map(({ name }) => name), [
    "one",
    "pod",
    "pod.links",
    "pod",
    "two",
  ]);
  assertEquals(linesOf(parts, "one"), ["a", "b"]);
  assertEquals(groupsOf(parts, "pod").map((own) => partOf(own, "pod")), args);
  assertEquals(partOf(parts, "three"), undefined);
});

Deno.test("an answer that was cut off has no parts", async () => {
  const asked = { name: "ask", program: `${program}; exit 3`, args: ["", ""] };
  const { parts, outcome } = await askParts(localNode("here"), asked);
  assertEquals([parts, outcome.code], [undefined, 3]);
  assertEquals(readParts({ stdout: "\nB one\nB en" }, "B"), undefined);
});
