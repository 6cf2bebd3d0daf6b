// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { readJournal } from "./journal.ts";
import { localNode, type Node } from "../node/node.ts";
import { apply } from "./engine.ts";
import { undo } from "./undo.ts";
import type { Answer, Step } from "./stage.ts";
import type { RunContext } from "./context.ts";

const stage = "08-routes";

function context(changes: Partial<RunContext> = {}): RunContext {
  return {
    timeout_ms: 20_000,
    signal: new AbortController().signal,
    stopping: () => false,
    tell: () => {},
    ...changes,
  };
}

/** A step that writes its name into a file, and is done when the file has it. */
function line(name: string, changes: Partial<Step> = {}): Step {
  return {
    why: `have ${name}`,
    independent: true,
    doneWhen: {
      ask: cmd`sh -c ${"touch lines; grep -qx $1 lines"} ask ${name}`,
      read: ({ code, ended }): Answer =>
        code === 0
          ? { is: "present" }
          : code === 1
          ? { is: "absent" }
          : { is: "unknown", reason: ended ?? `exit code ${code}` },
    },
    run: cmd`sh -c ${"echo $1 >>lines"} write ${name}`,
    undo: cmd`sed -i ${`/^${name}$/d`} lines`,
    ...changes,
  };
}

interface Machine {
  readonly node: Node;
  /** The commands that were run there, since the last look. */
  readonly commands: () => number;
  readonly lines: () => string;
}

async function onMachine(body: (machine: Machine) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  const here = localNode("here", `${folder}/state/journal`);
  let count = 0;
  const node: Node = {
    ...here,
    root: () => undefined, // A far machine: its journal goes by commands, too.
    run(command, options) {
      count++;
      return here.run(command, { ...options, cwd: folder });
    },
  };
  const commands = () => {
    const before = count;
    count = 0;
    return before;
  };
  const lines = () =>
    Deno.readTextFileSync(`${folder}/lines`).trim().replaceAll("\n", " ");
  try {
    await body({ node, commands, lines });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = Array.from({ length: 12 }, (_, at) => `line${at}`);
const twelve = names.map((name) => line(name));

Deno.test("independent steps are asked, run and written down by as many commands as one of them", () =>
  onMachine(async ({ node, commands, lines }) => {
    const results = await apply(stage, node, twelve, context());
    assertEquals(
      results.map(({ status }) => status),
      names.map(() => "changed"),
    );
    assertEquals(lines(), names.join(" "));
    // The journal is read; then asked, written, run, written, and complete.
    assertEquals(commands(), 6);
    const { complete, records } = await readJournal(node);
    assertEquals(complete, [stage]);
    assertEquals(records.map(({ state, changed }) => [state, changed]), [
      ...names.map(() => ["done", true]),
    ]);
    commands();
    const again = await apply(stage, node, twelve, context());
    assertEquals(again.map(({ status }) => status), names.map(() => "ok"));
    assertEquals(commands(), 2);
    const undone = await undo(stage, node, twelve, context());
    assertEquals(
      undone.map(({ status }) => status),
      names.map(() => "changed"),
    );
    assertEquals(lines(), "");
    // As before, and at last the journal that says nothing is removed.
    assertEquals(commands(), 6);
    assertEquals((await readJournal(node)).records, []);
  }));

Deno.test("only those that are missing are run, and a person who is asked sees them one by one", () =>
  onMachine(async ({ node, lines }) => {
    const [a, b, c, d] = ["a", "b", "c", "d"].map((name) => line(name));
    await apply(stage, node, [b!, d!], context());
    const results = await apply(stage, node, [a!, b!, c!, d!], context());
    assertEquals(lines(), "b d a c");
    assertEquals(results.map(({ status, why }) => `${status} ${why}`).sort(), [
      "changed have a",
      "changed have c",
      "ok have b",
      "ok have d",
    ]);
    const asked: string[] = [];
    await apply(
      stage,
      node,
      [line("e"), line("f"), line("g")],
      context({
        ask: (_, { why }) => {
          asked.push(why);
          return Promise.resolve(why === "have f" ? "stop" : "run");
        },
      }),
    );
    assertEquals(asked, ["have e", "have f"]);
    // What the steps no longer ask for was taken back first.
    assertEquals(lines(), "e");
  }));

Deno.test("one of them that fails stops those after it, and the journal knows of those before it", () =>
  onMachine(async ({ node, lines }) => {
    const broken = line("b", { run: cmd`sh -c ${"echo why >&2; exit 3"}` });
    const steps = [line("a"), broken, line("c")];
    const results = await apply(stage, node, steps, context());
    assertEquals(results.map(({ status }) => status), ["changed", "failed"]);
    assertStringIncludes(results[1]?.problem ?? "", "exit code 3");
    assertStringIncludes(results[1]?.problem ?? "", "why");
    assertEquals(lines(), "a");
    const { complete, records } = await readJournal(node);
    assertEquals(complete, []);
    assertEquals(records.map(({ state }) => state), ["done"]);
    const missing = line("b", { run: cmd`no-such-program-here` });
    const [ok, told] = await apply(
      stage,
      node,
      [line("a"), missing, line("c"), line("d")],
      context(),
    );
    assertEquals(ok?.status, "ok");
    assertStringIncludes(told?.problem ?? "", "no such command");
  }));

Deno.test("one of them that is refused stops at its place, and those before it are done", () =>
  onMachine(async ({ node, lines }) => {
    const theirs = line("c", {
      doneWhen: {
        ask: cmd`true`,
        read: () => ({ is: "different", found: "theirs", remedy: "look" }),
      },
    });
    const steps = [line("a"), line("b"), theirs, line("d")];
    const results = await apply(stage, node, steps, context());
    assertEquals(results.map(({ status }) => status), [
      "changed",
      "changed",
      "failed",
    ]);
    assertEquals(lines(), "a b");
  }));

Deno.test("cut off in the middle, those that may have run stay in the journal as running", () =>
  onMachine(async ({ node }) => {
    const slow = line("b", { run: cmd`sleep 60` });
    const steps = [line("a"), slow, line("c")];
    const [, told] = await apply(
      stage,
      node,
      steps,
      context({
        timeout_ms: 1_000,
      }),
    );
    assertStringIncludes(told?.problem ?? "", "timed out");
    const { complete, records } = await readJournal(node);
    assertEquals(complete, []);
    assertEquals(records.map(({ state }) => state), [
      "done",
      "running",
      "running",
    ]);
  }));

Deno.test("one of them that was killed may have done something, as the journal says", () =>
  onMachine(async ({ node, lines }) => {
    const killed = line("b", { run: cmd`sh -c ${"kill -KILL $$"}` });
    const steps = [line("a"), killed, line("c")];
    const [, told] = await apply(stage, node, steps, context());
    assertStringIncludes(told?.problem ?? "", "killed");
    assertEquals(lines(), "a");
    const { records } = await readJournal(node);
    assertEquals(records[1]?.state, "running");
  }));

Deno.test("what a complete stage asked at once is asked again after a change", () =>
  onMachine(async ({ node, lines }) => {
    const one = (name: string, changes: Partial<Step> = {}) => {
      const { independent: _, ...step } = line(name, changes);
      return step;
    };
    // The second step is needed where the first one has been run again.
    const steps = [
      one("a", { run: cmd`sh -c ${"echo a >lines"}` }),
      one("b"),
      one("c"),
    ];
    await apply(stage, node, steps, context());
    assertEquals(lines(), "a b c");
    await node.run(cmd`sed -i ${"/a/d"} lines`);
    const results = await apply(stage, node, steps, context());
    assertEquals(results.map(({ status }) => status), [
      "changed",
      "changed",
      "changed",
    ]);
    assertEquals(lines(), "a b c");
  }));

Deno.test("with keepGoing, one independent step that fails does not keep those beside it from running", () =>
  onMachine(async ({ node, lines }) => {
    const refused = line("refused", {
      doneWhen: {
        ask: cmd`true`,
        read: (): Answer => ({
          is: "different",
          found: "it is somebody else's",
          remedy: "look at it",
        }),
      },
    });
    const broken = line("broken", { run: cmd`sh -c ${"exit 3"}` });
    const steps = [refused, line("a"), line("b"), broken, line("c"), line("d")];
    const statuses = async (keepGoing: boolean) => {
      const going = keepGoing ? { keepGoing } as const : {};
      const results = await apply(stage, node, steps, context(going));
      return results.map(({ status }) => status);
    };
    assertEquals(await statuses(false), ["failed"]);
    assertEquals(await statuses(true), [
      ...["failed", "changed", "changed", "failed", "changed", "changed"],
    ]);
    assertEquals(lines(), "a b c d");
    assertEquals((await readJournal(node)).complete, []);
    assertEquals(await statuses(true), [
      ...["failed", "ok", "ok", "failed", "ok", "ok"],
    ]);
  }));

Deno.test("what the steps no longer ask for is taken back by one command, too", () =>
  onMachine(async ({ node, commands, lines }) => {
    await apply(stage, node, [...twelve, line("kept")], context());
    commands();
    const results = await apply(stage, node, [line("kept")], context());
    assertEquals(results.map(({ status }) => status), [
      ...names.map(() => "changed"),
      "ok",
    ]);
    assertEquals(lines(), "kept");
    // Read; written, taken back, written; asked; complete.
    assertEquals(commands(), 6);
    assertEquals((await readJournal(node)).records.length, 1);
  }));

Deno.test("of those that are taken back together, what is gone already is told so and not taken back again", () =>
  onMachine(async ({ node, lines }) => {
    const strict = (name: string) =>
      line(name, {
        undo:
          cmd`sh -c ${"grep -qx $1 lines && sed -i /^$1$/d lines"} undo ${name}`,
      });
    const steps = ["a", "b", "c", "d"].map(strict);
    await apply(stage, node, steps, context());
    await node.run(cmd`sed -i ${"/b/d"} lines`);
    const told = await undo(stage, node, steps, context());
    assertEquals(told.map(({ status, why }) => `${status} ${why}`).sort(), [
      "changed Take back: have a",
      "changed Take back: have c",
      "changed Take back: have d",
      "ok Take back: have b",
    ]);
    assertEquals(lines(), "");
    assertEquals((await readJournal(node)).records, []);
  }));

Deno.test("of those that no step of today asks about, what its command finds gone does not stop the others", () =>
  onMachine(async ({ node, lines }) => {
    const went = 'echo "Cannot find device \\"x\\"" >&2; exit 1';
    const gone = line("b", { undo: cmd`sh -c ${went}` });
    const steps = [line("a"), gone, line("c"), line("d")];
    await apply(stage, node, [...steps, line("kept")], context());
    await node.run(cmd`sed -i ${"/b/d"} lines`);
    const told = await apply(stage, node, [line("kept")], context());
    assertEquals(told.map(({ status }) => status), [
      "changed",
      "changed",
      "ok",
      "changed",
      "ok",
    ]);
    assertEquals(lines(), "kept");
    assertEquals((await readJournal(node)).records.length, 1);
  }));

Deno.test("one of them that cannot be taken back stops those after it, and the journal keeps it as it was", () =>
  onMachine(async ({ node, lines }) => {
    const broken = line("b", { undo: cmd`sh -c ${"echo why >&2; exit 3"}` });
    const steps = [line("a"), broken, line("c"), line("d")];
    await apply(stage, node, steps, context());
    const told = await undo(stage, node, steps, context());
    assertEquals(told.map(({ status }) => status), [
      ...["changed", "changed", "failed"],
    ]);
    assertStringIncludes(told[2]?.problem ?? "", "exit code 3");
    assertEquals(lines(), "a b");
    const { complete, records } = await readJournal(node);
    assertEquals(complete, []);
    assertEquals(records.map(({ state }) => state), ["done", "done"]);
  }));

Deno.test("cut off while they are taken back, those that may be gone stay in the journal as running", () =>
  onMachine(async ({ node, lines }) => {
    const slow = line("b", { undo: cmd`sleep 60` });
    const steps = [line("a"), slow, line("c"), line("d")];
    await apply(stage, node, steps, context());
    const told = await undo(stage, node, steps, context({ timeout_ms: 1_000 }));
    assertStringIncludes(told.at(-1)?.problem ?? "", "timed out");
    assertEquals(lines(), "a b");
    const { records } = await readJournal(node);
    assertEquals(records.map(({ state }) => state), ["running", "running"]);
    const fixed = [line("a"), line("b")];
    await apply(stage, node, fixed, context());
    await undo(stage, node, fixed, context());
    assertEquals(lines(), "");
  }));

Deno.test("what is there already is written down at once, of all that go together", () =>
  onMachine(async ({ node, commands }) => {
    const write = `printf '%s\\n' "$@" >lines`;
    await node.run(cmd`sh -c ${write} write ${names}`);
    commands();
    const results = await apply(stage, node, twelve, context());
    assertEquals(results.map(({ status }) => status), names.map(() => "ok"));
    // Read, asked, written, and complete.
    assertEquals(commands(), 4);
  }));
