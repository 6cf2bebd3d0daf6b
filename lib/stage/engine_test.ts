// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { cmd, type Command, show } from "../exec/command.ts";
import { write } from "../exec/shell_file.ts";
import { readJournal, writeJournal } from "./journal.ts";
import { localNode, type Node, UnreachableError } from "../node/node.ts";
import { fileIs } from "../steps/file_probes.ts";
import { plan, planUndo } from "./plan_node.ts";
import type { StepResult } from "./result.ts";
import { apply } from "./engine.ts";
import { undo } from "./undo.ts";
import type { Answer, Step } from "./stage.ts";
import { context, inFolder } from "./engine_testing.ts";
import { JournalError, StepError } from "./errors.ts";

const stage = "04-bridge";

/** A step that makes a file, asked for by test(1): a link in small. */
function file(path: string, changes: Partial<Step> = {}): Step {
  return {
    why: `have ${path}`,
    doneWhen: {
      ask: cmd`test -e ${path}`,
      read: (outcome): Answer =>
        outcome.code === 0
          ? { is: "present" }
          : outcome.code === 1
          ? { is: "absent" }
          : { is: "unknown", reason: "no such command" },
    },
    run: cmd`touch ${path}`,
    undo: cmd`rm ${path}`,
    ...changes,
  };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

const statuses = (results: readonly StepResult[]) =>
  results.map(({ status }) => status);

Deno.test("what an earlier run left otherwise goes first, in a dry run too, and undo takes it back", () =>
  inFolder(async (folder, node) => {
    const path = `${folder}/link`;
    const made = (text: string): Step => ({
      why: "have a link",
      holds: "link",
      doneWhen: {
        ask: cmd`sh -c ${"cat $0 2>&1 || :"} ${path}`,
        read: ({ stdout }): Answer =>
          stdout.trim() === text
            ? { is: "present", ours: true }
            : /No such file/.test(stdout)
            ? { is: "absent" }
            : { is: "absent", ours: true, replaces: cmd`rm ${path}` },
      },
      // It fails where something is there, as the making of a link does.
      run: cmd`sh -euC -c ${"echo $0 >$1"} ${text} ${path}`,
      undo: cmd`rm ${path}`,
    });
    await Deno.writeTextFile(path, "old\n");
    const { steps } = await plan(stage, node, [made("new")], {});
    assertEquals(steps.map(({ run }) => "argv" in run ? run.argv[0] : ""), [
      "rm",
      "sh",
    ]);
    const shown: string[] = [];
    const asking = (choice: "run" | "skip") =>
      context({
        ask: (_, { run }) => {
          shown.push("argv" in run ? run.argv[0] ?? "" : "");
          return Promise.resolve(choice);
        },
      });
    await apply(stage, node, [made("new")], asking("skip"));
    assertEquals(await Deno.readTextFile(path), "old\n");
    assertEquals(
      statuses(await apply(stage, node, [made("new")], asking("run"))),
      ["changed", "changed"],
    );
    assertEquals(shown, ["rm", "rm", "sh"]);
    assertEquals(await Deno.readTextFile(path), "new\n");
    await Deno.writeTextFile(path, "drift\n");
    await undo(stage, node, [made("new")], context());
    assert(!exists(path));
  }));

Deno.test("apply() runs what is absent, and a second time changes nothing", () =>
  inFolder(async (folder, node) => {
    const steps = [file(`${folder}/a`), file(`${folder}/b`)];
    assertEquals(statuses(await apply(stage, node, steps, context())), [
      "changed",
      "changed",
    ]);
    assert(exists(`${folder}/b`));
    assertEquals((await readJournal(node)).complete, [stage]);
    const journal = await Deno.stat(node.journalPath);
    assertEquals(statuses(await apply(stage, node, steps, context())), [
      "ok",
      "ok",
    ]);
    const again = await Deno.stat(node.journalPath);
    assertEquals(again.mtime, journal.mtime);
  }));

Deno.test("undo() takes back in reverse, and only what apply() changed", () =>
  inFolder(async (folder, node) => {
    await Deno.writeTextFile(`${folder}/theirs`, "");
    const steps = [
      file(`${folder}/theirs`),
      file(`${folder}/a`),
      file(`${folder}/b`),
    ];
    await apply(stage, node, steps, context());
    const results = await undo(stage, node, steps, context());
    assertEquals(
      results.filter(({ status }) => status === "changed")
        .map(({ command }) => command),
      [`rm ${folder}/b`, `rm ${folder}/a`],
    );
    assert(exists(`${folder}/theirs`));
    assertEquals(await readJournal(node), { complete: [], records: [] });
  }));

Deno.test("undo() leaves alone what is no longer as the stage left it", () =>
  inFolder(async (folder, node) => {
    const steps = [file(`${folder}/a`)];
    await apply(stage, node, steps, context());
    await Deno.remove(`${folder}/a`);
    assertEquals(statuses(await undo(stage, node, steps, context())), ["ok"]);
  }));

Deno.test("undo() takes away what is ours and no longer as today's steps would have it", () =>
  inFolder(async (folder, node) => {
    const path = `${folder}/list`;
    const step = (content: string): Step => ({
      why: `have ${path}`,
      doneWhen: fileIs(path, content, (text) => text.startsWith("ours")),
      run: write(path, content),
      undo: cmd`rm ${path}`,
    });
    await apply(stage, node, [step("ours, 1")], context());
    // The cluster file was changed before the undo.
    const planned = await planUndo(stage, node, [step("ours, 2")], {});
    assertEquals(planned.steps.length, 1);
    await undo(stage, node, [step("ours, 2")], context());
    assert(!exists(path));
    await apply(stage, node, [step("ours, 1")], context());
    await Deno.writeTextFile(path, "theirs");
    await undo(stage, node, [step("ours, 1")], context());
    assert(exists(path));
  }));

Deno.test("a journal that says nothing more is taken away, and its folder where it is empty", () =>
  inFolder(async (folder) => {
    const node = localNode("n", `${folder}/journals/journal`);
    await apply(stage, node, [file(`${folder}/a`)], context());
    assert(exists(node.journalPath));
    await undo(stage, node, [file(`${folder}/a`)], context());
    assert(!exists(`${folder}/journals`));
    await apply(stage, node, [file(`${folder}/a`)], context());
    await Deno.writeTextFile(`${folder}/journals/other`, "");
    await undo(stage, node, [file(`${folder}/a`)], context());
    assert(!exists(node.journalPath));
    assert(exists(`${folder}/journals/other`));
  }));

Deno.test("undo() works from the journal when the cluster no longer plans the step", () =>
  inFolder(async (folder, node) => {
    await apply(stage, node, [file(`${folder}/a`)], context());
    await undo(stage, node, [], context());
    assert(!exists(`${folder}/a`));
  }));

Deno.test("apply() takes back what an earlier run did and the cluster no longer asks for", () =>
  inFolder(async (folder, node) => {
    await apply(stage, node, [file(`${folder}/old`)], context());
    const results = await apply(
      stage,
      node,
      [file(`${folder}/new`)],
      context(),
    );
    assertEquals(statuses(results), ["changed", "changed"]);
    assert(!exists(`${folder}/old`));
    assert(exists(`${folder}/new`));
  }));

Deno.test("somebody else's is refused with what was found and what to do", () =>
  inFolder(async (folder, node) => {
    const theirs = file(`${folder}/a`, {
      doneWhen: {
        ask: cmd`true`,
        read: () => ({
          is: "different",
          found: "cni0 is a vxlan, not a bridge",
          remedy: "remove it",
        }),
      },
    });
    const after = file(`${folder}/b`);
    const results = await apply(stage, node, [theirs, after], context());
    assertEquals(statuses(results), ["failed"]);
    assertStringIncludes(results[0]?.problem ?? "", "cni0 is a vxlan");
    assertStringIncludes(
      results[0]?.problem ?? "",
      "what to do: on here, remove it",
    );
    assert(!exists(`${folder}/a`) && !exists(`${folder}/b`));
    assertEquals((await readJournal(node)).complete, []);
  }));

Deno.test("a probe that cannot tell is an error, never 'absent'", () =>
  inFolder(async (folder, node) => {
    const step = file(`${folder}/a`, {
      doneWhen: {
        ask: cmd`no-such-program-anywhere`,
        read: (outcome) => ({
          is: "unknown",
          reason: outcome.ended ?? "no reason",
        }),
      },
    });
    const results = await apply(stage, node, [step], context());
    assertEquals(statuses(results), ["failed"]);
    assertStringIncludes(results[0]?.problem ?? "", "no such command");
    assertStringIncludes(
      results[0]?.problem ?? "",
      "asked by: no-such-program-anywhere",
    );
    assert(!exists(`${folder}/a`));
  }));

Deno.test("a step that fails leaves no record, and later steps do not run", () =>
  inFolder(async (folder, node) => {
    const bad = file(`${folder}/bad`, {
      run: cmd`sh -c ${"echo out; echo err >&2; exit 7"}`,
    });
    const steps = [file(`${folder}/a`), bad, file(`${folder}/c`)];
    const results = await apply(stage, node, steps, context());
    assertEquals(statuses(results), ["changed", "failed"]);
    const { problem = "" } = results[1] ?? {};
    for (const part of ["exit code 7", "stdout: out", "stderr: err"]) {
      assertStringIncludes(problem, part);
    }
    const journal = await readJournal(node);
    assertEquals(journal.records.map(({ step }) => step), [
      `touch ${folder}/a`,
    ]);
    assertEquals(journal.complete, []);
    assert(!exists(`${folder}/c`));
  }));

Deno.test("a step that ran into its time limit stays in the journal, so that undo looks after it", () =>
  inFolder(async (folder, node) => {
    const slow = file(`${folder}/slow`, {
      run: cmd`sh -c ${`touch ${folder}/slow; sleep 60`}`,
      timeout_ms: 200,
    });
    const results = await apply(stage, node, [slow], context());
    assertStringIncludes(results[0]?.problem ?? "", "timed out");
    assertEquals((await readJournal(node)).records[0]?.state, "running");
    await undo(stage, node, [slow], context());
    assert(!exists(`${folder}/slow`));
  }));

Deno.test("a run that was killed between a command and its record is made good", () =>
  inFolder(async (folder, node) => {
    const step = file(`${folder}/a`);
    await Deno.mkdir(`${folder}/state`);
    await Deno.writeTextFile(
      node.journalPath,
      JSON.stringify({
        version: 1,
        complete: [],
        records: [{
          stage,
          step: show(step.run as Command),
          state: "running",
          changed: false,
          undo: step.undo,
        }],
      }),
    );
    await Deno.writeTextFile(`${folder}/a`, "");
    assertEquals(statuses(await apply(stage, node, [step], context())), ["ok"]);
    await undo(stage, node, [step], context());
    assert(!exists(`${folder}/a`));
  }));

Deno.test("an undo that fails is told, and its record is there for the next", () =>
  inFolder(async (folder, node) => {
    const step = file(`${folder}/a`, { undo: cmd`rm ${folder}/a ${folder}/b` });
    await apply(stage, node, [step], context());
    const before = (await readJournal(node)).records;
    await Deno.mkdir(`${folder}/b`);
    assertEquals(statuses(await undo(stage, node, [], context())), ["failed"]);
    assertEquals(await readJournal(node), { complete: [], records: before });
  }));

Deno.test("what the journal tells of already is made again though nothing can be written", () =>
  inFolder(async (folder, node) => {
    const steps = [file(`${folder}/a`), file(`${folder}/b`)];
    const together = steps.map((step) => ({
      ...step,
      independent: true as const,
    }));
    for (const these of [steps, together]) {
      await apply(stage, node, these, context());
      const before = await readJournal(node);
      for (const name of ["a", "b"]) await Deno.remove(`${folder}/${name}`);
      // A folder of that name: what would replace the journal fails, as on a full disk.
      await Deno.mkdir(`${node.journalPath}.new/x`, { recursive: true });
      const results = await apply(stage, node, these, context());
      await Deno.remove(`${node.journalPath}.new`, { recursive: true });
      assertEquals(statuses(results), ["changed", "changed"]);
      assertEquals(await readJournal(node), before);
    }
  }));

Deno.test("what is no longer wanted and gone already does not keep the rest from running", () =>
  inFolder(async (folder, node) => {
    const says =
      'rm "$1" 2>/dev/null || { echo "Error: ipv6: address not found." >&2; exit 2; }';
    const undo = cmd`sh -c ${says} undo ${folder}/a`;
    await apply(stage, node, [file(`${folder}/a`, { undo })], context());
    await Deno.remove(`${folder}/a`);
    const [taken, made] = await apply(
      stage,
      node,
      [file(`${folder}/b`)],
      context(),
    );
    assertEquals([taken?.status, made?.status], ["ok", "changed"]);
    assertEquals((await readJournal(node)).records.length, 1);
  }));

Deno.test("what a run that was killed left is not forgotten where its undo fails and its probe finds it", () =>
  inFolder(async (folder, node) => {
    const step = file(`${folder}/a`, { undo: cmd`rmdir ${folder}/a` });
    await apply(stage, node, [step], context());
    const { records } = await readJournal(node);
    const running = records.map((
      one,
    ) => ({ ...one, state: "running" } as const));
    await writeJournal(node, { complete: [], records: running });
    assertEquals(statuses(await undo(stage, node, [step], context())), [
      "failed",
    ]);
    assertEquals((await readJournal(node)).records, running);
  }));

Deno.test("undo() of a setting brings the previous value back, also after two runs", () =>
  inFolder(async (folder, node) => {
    const path = `${folder}/setting`;
    await Deno.writeTextFile(path, "0\n");
    const set: Step = {
      why: "set it",
      doneWhen: {
        ask: cmd`cat ${path}`,
        read: ({ stdout }) =>
          stdout.trim() === "1"
            ? { is: "present" }
            : { is: "absent", previous: stdout.trim() },
      },
      run: cmd`sh -c ${`echo 1 >${path}`}`,
      undo: (previous) => cmd`sh -c ${`echo ${previous} >${path}`}`,
    };
    await apply(stage, node, [set], context());
    await apply(stage, node, [set], context());
    await undo(stage, node, [set], context());
    assertEquals(await Deno.readTextFile(path), "0\n");
  }));

Deno.test("Ctrl-C lets the step under way end, starts no other, and leaves the stage incomplete", () =>
  inFolder(async (folder, node) => {
    let stopping = false;
    const steps = [file(`${folder}/a`), file(`${folder}/b`)];
    const results = await apply(
      stage,
      node,
      steps,
      context({
        stopping: () => stopping,
        tell: () => stopping = true,
      }),
    );
    assertEquals(statuses(results), ["changed"]);
    const journal = await readJournal(node);
    assertEquals(journal.complete, []);
    assertEquals(journal.records.length, 1);
  }));

Deno.test("a dry run gives exactly the commands that a run then executes, and changes nothing", () =>
  inFolder(async (folder, node) => {
    await Deno.writeTextFile(`${folder}/a`, "");
    const steps = [file(`${folder}/a`), file(`${folder}/b`)];
    const planned = await plan(stage, node, steps, {});
    assertEquals(planned.steps.map(({ run }) => run), [
      cmd`touch ${`${folder}/b`}`,
    ]);
    assert(!exists(`${folder}/b`) && !exists(node.journalPath));
    await apply(stage, node, steps, context());
    assertEquals((await plan(stage, node, steps, {})).steps, []);
    const back = await planUndo(stage, node, steps, {});
    assertEquals(back.steps.map(({ run }) => run), [
      cmd`rm ${`${folder}/b`}`,
    ]);
  }));

Deno.test("a dry run refuses what a run would refuse", () =>
  inFolder(async (folder, node) => {
    const theirs = file(`${folder}/a`, {
      doneWhen: {
        ask: cmd`true`,
        read: () => ({ is: "different", found: "theirs", remedy: "look" }),
      },
    });
    await assertRejects(
      () => plan(stage, node, [theirs], {}),
      StepError,
      "theirs",
    );
  }));

Deno.test("a journal that is none stops the stage and names the file", () =>
  inFolder(async (folder, node) => {
    await Deno.mkdir(`${folder}/state`);
    await Deno.writeTextFile(node.journalPath, "{");
    const results = await apply(
      stage,
      node,
      [file(`${folder}/a`)],
      context(),
    );
    assertEquals(statuses(results), ["failed"]);
    assertStringIncludes(results[0]?.problem ?? "", node.journalPath);
    await assertRejects(
      () => plan(stage, node, [], {}),
      JournalError,
      "no journal of this tool's",
    );
  }));

Deno.test("a node that is lost in the middle is 'unreachable', and says why", () =>
  inFolder(async (folder, node) => {
    let calls = 0;
    const dying: Node = {
      ...node,
      run(command, options) {
        calls += 1;
        if (calls > 4) throw new UnreachableError("here", "not running");
        return node.run(command, options);
      },
    };
    const steps = [file(`${folder}/a`), file(`${folder}/b`)];
    const results = await apply(stage, dying, steps, context());
    assertEquals(results.at(-1)?.status, "unreachable");
    assertEquals(results.at(-1)?.problem, "not running");
  }));
