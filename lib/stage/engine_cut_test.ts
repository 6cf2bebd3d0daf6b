/** Runs that are cut off between any two commands: what the journal says then is true, and the next run makes it good. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { exists } from "../exec/atomic_file.ts";
import { cmd } from "../exec/command.ts";
import { localNode, type Node, UnreachableError } from "../node/node.ts";
import type { RunContext } from "./context.ts";
import { apply } from "./engine.ts";
import { undo } from "./undo.ts";
import { readJournal } from "./journal.ts";
import { stepKey } from "./node_run.ts";
import type { Step } from "./stage.ts";

const stage = "04-bridge";

const context: RunContext = {
  timeout_ms: 10_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: () => {},
};

/** A step that makes a file. Its undo fails where there is none, as `ip link del` does. */
function making(path: string): Step {
  return {
    why: `have ${path}`,
    doneWhen: {
      ask: cmd`test -e ${path}`,
      read: ({ code }) => ({ is: code === 0 ? "present" : "absent" }),
    },
    run: cmd`touch ${path}`,
    undo: cmd`rm ${path}`,
  };
}

/** The node, which answers this many commands and is lost then. */
function cutAfter(node: Node, commands: number): Node {
  let left = commands;
  return {
    ...node,
    root: () => undefined, // The journal goes by commands, too.
    run(command, options) {
      if (left-- > 0) return node.run(command, options);
      throw new UnreachableError(node.name, "cut off");
    },
  };
}

/** Whether what the journal says of these files is so. */
async function assertTrue(node: Node, folder: string, steps: readonly Step[]) {
  const { complete, records } = await readJournal(node);
  const made: string[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (name !== "state") made.push(`touch ${folder}/${name}`);
  }
  const known = records.filter(({ state, changed }) =>
    changed || state === "running"
  );
  for (const step of made) {
    assert(known.some((record) => record.step === step), `${step}: no record`);
  }
  if (!complete.includes(stage)) return;
  assertEquals(
    records.map(({ state, step }) => ({ state, step })),
    steps.map((step) => ({ state: "done", step: stepKey(step) })),
    "a stage that is called complete",
  );
  assertEquals(made.toSorted(), steps.map(stepKey).toSorted());
}

/** Cuts a run off before each of its commands in turn; then what it was for is done by another. */
async function atEachCut(
  before: (folder: string) => readonly Step[],
  after: ((folder: string) => readonly Step[]) | undefined,
): Promise<void> {
  for (let cut = 1;; cut += 1) {
    const folder = await Deno.makeTempDir();
    try {
      const node = localNode("here", `${folder}/state/journal`);
      await apply(stage, node, before(folder), context);
      const steps = (after ?? before)(folder);
      const work = (on: Node) =>
        after === undefined
          ? undo(stage, on, steps, context)
          : apply(stage, on, steps, context);
      const results = await work(cutAfter(node, cut));
      const { complete } = await readJournal(node);
      // A journal that was complete before may be so of the earlier steps still.
      const asked = complete.includes(stage) && results.length < 2
        ? [before(folder), steps]
        : [steps];
      await Promise.any(
        asked.map((steps) => assertTrue(node, folder, steps)),
      ).catch(({ errors: [first] }) => {
        throw new Error(`cut off after ${cut} commands`, { cause: first });
      });
      if (results.every(({ status }) => status !== "unreachable")) return;

      const mended = await work(node);
      const problems = mended.flatMap(({ problem }) => problem ?? []);
      assertEquals(problems, [], `after a cut behind ${cut} commands`);
      await undo(stage, node, steps, context);
      assertEquals((await readJournal(node)).records, []);
      for (const step of [...before(folder), ...steps]) {
        const path = stepKey(step).replace("touch ", "");
        assert(!await exists(path), `${path} stays behind`);
      }
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  }
}

const step =
  (name: string) => (folder: string) => [making(`${folder}/${name}`)];

Deno.test("apply() that takes back an older step and is cut off anywhere leaves a true journal, and the next run makes it good", () =>
  atEachCut(step("old"), step("new")));

Deno.test("undo() that is cut off anywhere leaves a true journal, and the next run makes it good", () =>
  atEachCut(step("only"), undefined));
