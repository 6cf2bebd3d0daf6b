// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { option } from "./flags.ts";
import { helpText } from "./help.ts";
import { standard } from "./standard_flags.ts";
import { stageCommand } from "./stage_script.ts";
import { stageNames } from "../stage/stage.ts";

Deno.test("a command's help is made of what it declares", () => {
  const text = helpText({
    name: "picture",
    summary: "draw the cluster as it is",
    text: ["What is new since the last picture is marked."],
    examples: [["make picture", "writes a file"]],
    flags: {
      out: option({
        name: "out",
        value: "FILE",
        does: "where to; - for stdout",
        read: String,
      }),
      ...standard("cluster", "quiet"),
    },
    exits: { done: "done", usage: "wrong flags or cluster file" },
  });
  assertEquals(
    text,
    `scripts/picture.ts: draw the cluster as it is

Usage: scripts/picture.ts [flags]
       make picture [ARGS="flags"]

What is new since the last picture is marked.

Examples:
  make picture  writes a file

Flags:
  --out FILE      where to; - for stdout (or $DENO_CNI_OUT)
  --cluster FILE  the cluster file (default config/lab.yaml, or
                  $DENO_CNI_CLUSTER)
  -q, --quiet     only what went wrong
  -h, --help      this text
  --version       the version of this project

Exit codes: 0 done, 2 wrong flags or cluster file`,
  );
});

Deno.test("every stage's help fits a terminal and names what to look at", () => {
  for (const name of stageNames) {
    const text = helpText(
      stageCommand({
        name,
        summary: "do it",
        afterwards: ({ bridge }) => ({
          on: "node",
          run: cmd`ip addr show ${bridge}`,
        }),
      }),
    );
    assert(text.split("\n").every((line) => line.length < 80), text);
    assert(
      text.includes(
        'Afterwards:\n  make shell NODE=worker-1 ARGS="-- ip addr show cni0"',
      ),
      text,
    );
    assert(text.includes(`make ${name} ARGS="--undo"`), text);
  }
});
