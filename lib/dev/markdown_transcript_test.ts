/** What a page says, read and compared. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  agrees,
  differingLines,
  readPage,
  rewrite,
  TranscriptError,
} from "./markdown_transcript.ts";

const page = `# A page

<!-- run: make up -->

\`\`\`sh
$ make nothing of this
\`\`\`

\`\`\`console
$ ip -br link
lo  UP

eth0  UP

$ true
\`\`\`

The end.
`;

Deno.test("a page's commands are found with what it says that they print", () => {
  assertEquals(readPage(page), [
    { is: "run", command: "make up", line: 3 },
    {
      is: "shown",
      command: "ip -br link",
      line: 10,
      said: ["lo  UP", "", "eth0  UP"],
    },
    { is: "shown", command: "true", line: 15, said: [] },
  ]);
});

Deno.test("a page with an output of no command, or an open fence, is refused by its line", () => {
  assertThrows(
    () => readPage("```console\nlo UP\n```\n"),
    TranscriptError,
    'line 2: expected a command, "$ …", ahead of what it prints: lo UP',
  );
  assertThrows(
    () => readPage("```console\n$ true\n"),
    TranscriptError,
    'line 1: expected a line "```" that closes this block',
  );
});

Deno.test("what differs from run to run is no difference", () => {
  const said = [
    "3: veth1a2b3c4d5e6@if2: mtu 1500",
    "    link/ether 02:dc:43:fe:c9:f0",
    "pod 10.244.1.2   it took 14 ms",
  ];
  const printed = [
    "3: vethzz99zz99zz9@if17: mtu 1500",
    "    link/ether 02:00:00:00:00:01",
    "pod 10.244.1.3     it took 1.5 s",
    "",
  ];
  assert(agrees(said, printed));
  assert(!agrees(said, [...printed, "more"]));
  assert(!agrees(["pod 10.244.1.2"], ["pod 10.244.2.2"]));
  assert(!agrees(["mtu 1500"], ["mtu 1400"]));
});

Deno.test("… stands for any lines, also none", () => {
  assert(agrees(["a", "…", "d"], ["a", "b", "c", "d"]));
  assert(agrees(["a", "…", "b"], ["a", "b"]));
  assert(agrees(["a", "…"], ["a"]));
  assert(agrees(["…", "d"], ["c", "d"]));
  assert(!agrees(["a", "…", "d"], ["a", "b", "c"]));
});

Deno.test("what was printed takes the place of what was said", () => {
  const printed = new Map([[10, ["lo  DOWN", ""]], [15, ["more"]]]);
  const again = rewrite(page, printed);
  assertEquals(
    again,
    page.replace("lo  UP\n\neth0  UP", "lo  DOWN")
      .replace("$ true\n", "$ true\nmore\n"),
  );
  assertEquals(rewrite(page, new Map()), page);
});

Deno.test("of two texts those lines are told that differ", () => {
  assertEquals(differingLines(["a", "b", "c"], ["a", "x", "y", "c", ""]), {
    said: ["b"],
    printed: ["x", "y"],
  });
  assertEquals(differingLines(["a", "a"], ["a"]), { said: ["a"], printed: [] });
  assertEquals(differingLines(["12 ms"], ["13 ms"]), { said: [], printed: [] });
});
