// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, withInput } from "../exec/command.ts";
import { write } from "../exec/shell_file.ts";
import type { StagePlan } from "../stage/plan_stages.ts";
import { localNode } from "../node/node.ts";
import type { PlannedStep } from "../stage/plan_node.ts";
import { announcement, condense, type Shown } from "./stop_text.ts";

const names = ["master", "worker-1", "worker-2"];

function planned(
  name: string,
  steps: readonly (PlannedStep & { readonly about?: string })[],
): StagePlan {
  return { stage: "04-bridge", node: localNode(name), steps };
}

function told(shown: readonly Shown[]): string {
  return announcement({
    title: "04-bridge",
    number: 4,
    of: 11,
    sentences: ["Why.", "What.", "Then."],
    shown,
  });
}

Deno.test("of nodes that do alike one is shown, and which others it stands for is said", () => {
  const shown = condense(
    names.map((name) =>
      planned(name, [{
        why: `Pods of ${name} are here`,
        run: cmd`ip route add ${name}`,
      }])
    ),
    "worker-1",
    names,
  );
  assertEquals(
    shown.map(({ on, alike, exactly }) => ({ on, alike, exactly })),
    [
      { on: "worker-1", alike: ["master", "worker-2"], exactly: false },
    ],
  );
  const text = told(shown);
  assertStringIncludes(
    text,
    "On worker-1, and on master and worker-2 with names and addresses of their own:",
  );
  assertStringIncludes(
    text,
    "  # Pods of worker-1 are here\n  ip route add worker-1",
  );
});

Deno.test("what the operator's machine does stands where it is done, ahead of the nodes or after them", () => {
  const step = { why: "do", run: cmd`true` };
  const order = (...machines: string[]) =>
    condense(machines.map((name) => planned(name, [step])), "worker-1", names)
      .map(({ on }) => on);
  assertEquals(order("operator", ...names), ["operator", "worker-1"]);
  assertEquals(order(...names, "operator"), ["worker-1", "operator"]);
});

Deno.test("a node that does something else is shown by itself, one that does nothing is not", () => {
  const same = [{ why: "up", run: cmd`ip link set cni0 up` }];
  const shown = condense(
    [
      planned("master", []),
      planned("worker-1", same),
      planned("worker-2", [...same, { why: "more", run: cmd`true` }]),
    ],
    "worker-1",
    names,
  );
  assertEquals(shown.map(({ on, alike }) => [on, alike]), [
    ["worker-1", []],
    ["worker-2", []],
  ]);
  assertStringIncludes(told(shown), "On worker-1:\n");
});

Deno.test("the very same commands are said to be the very same", () => {
  const same = [{ why: "up", run: cmd`ip link set cni0 up` }];
  const shown = condense(
    names.map((name) => planned(name, same)),
    "worker-1",
    names,
  );
  assertStringIncludes(
    told(shown),
    "On worker-1, and the very same on master and worker-2:",
  );
});

Deno.test("of the operator's commands those about one node stand for the others", () => {
  const make = (name: string) => (
    { why: "a node", run: cmd`make ${name}`, node: name }
  );
  const shown = condense(
    [planned("operator", [
      { why: "a segment", run: cmd`make segment` },
      ...names.map(make),
    ])],
    "worker-1",
    names,
  );
  assertEquals(
    shown.flatMap(({ steps }) =>
      steps.map(({ run }) => "argv" in run ? run.argv[1] : "")
    ),
    ["segment", "worker-1"],
  );
  assertStringIncludes(
    told(shown),
    "On this computer, and the same for master and worker-2:",
  );
});

Deno.test("where there is nothing to do, that is said", () => {
  assertStringIncludes(told([]), "There is nothing to do");
});

Deno.test("a file that is written is named, what a command reads shown, and no line too wide", () => {
  const reason = "A reason that takes more than one line, ".repeat(4).trim();
  const text = told([{
    on: "worker-1",
    alike: [],
    exactly: true,
    steps: [
      { why: reason, run: write("/etc/file", "the content\n") },
      {
        why: reason,
        run: {
          ...withInput(cmd`sh -c ${"a long script; ".repeat(20)}`, `{"a":1}`),
          label: "env CNI_COMMAND=ADD /opt/cni/bin/deno-cni",
        },
      },
      {
        why: reason,
        run: cmd`iptables -w -t nat -A POSTROUTING ${
          Array(12).fill(["!", "-d", "10.244.0.0/16"]).flat()
        }`,
      },
      { why: reason, run: { copy: "a", to: "/opt/a", mode: "755" } },
    ],
  }]);
  assert(text.split("\n").every((line) => [...line].length < 80), text);
  assertStringIncludes(text, "\n  write /etc/file\n");
  assert(!text.includes("the content"), text);
  assertStringIncludes(
    text,
    '  env CNI_COMMAND=ADD /opt/cni/bin/deno-cni\n  << {\n  <<   "a": 1\n  << }',
  );
  assert(!text.includes("a long script"), text);
  assertStringIncludes(text, "  copy a to /opt/a");
});
