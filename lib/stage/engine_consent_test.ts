// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { readJournal } from "./journal.ts";
import { plan } from "./plan_node.ts";
import type { StepResult } from "./result.ts";
import { apply } from "./engine.ts";
import { undo } from "./undo.ts";
import type { ConsentRequest } from "./consent.ts";
import type { Step } from "./stage.ts";
import type { Node } from "../node/node.ts";
import type { RunContext } from "./context.ts";
import { context, inFolder } from "./engine_testing.ts";
import { StepError } from "./errors.ts";

const stage = "01-provision";

const yes: Partial<RunContext> = { consent: () => Promise.resolve(true) };
const no: Partial<RunContext> = { consent: () => Promise.resolve(false) };

/** A step that makes a file, and asks before. */
function dear(path: string, changes: Partial<Step> = {}): Step {
  return {
    why: `have ${path}`,
    doneWhen: {
      ask: cmd`test -e ${path}`,
      read: ({ code }) =>
        code === 0
          ? { is: "present" }
          : { is: "absent", preview: `${path} will be made` },
    },
    run: cmd`touch ${path}`,
    undo: cmd`rm ${path}`,
    consent: { apply: `make ${path}`, undo: `remove ${path}` },
    ...changes,
  };
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch {
    return false;
  }
}

const statuses = (results: readonly StepResult[]) =>
  results.map(({ status }) => status);

Deno.test("who has to agree is asked once, with what the probe knows and all commands that need consent", () =>
  inFolder(async (folder, node) => {
    const asked: ConsentRequest[] = [];
    const consent = (request: ConsentRequest) => {
      asked.push(request);
      return Promise.resolve(true);
    };
    const [a, b] = [`${folder}/a`, `${folder}/b`];
    const steps = [dear(a), dear(b)];
    await apply(stage, node, steps, context({ consent }));
    assertEquals(asked, [{
      what: `make ${a}`,
      preview: `${a} will be made`,
      commands: [`touch ${a}`, `touch ${b}`],
    }]);
    await apply(stage, node, steps, context({ consent }));
    assertEquals(asked.length, 1, "nothing to do, and yet somebody was asked");
    await undo(stage, node, steps, context({ consent }));
    assertEquals(asked[1], {
      what: `remove ${b}`,
      commands: [`rm ${b}`, `rm ${a}`],
    });
    assertEquals(asked.length, 2);
    assert(!await exists(a));
  }));

Deno.test("without consent nothing is done from there on, and the stage is not complete", () =>
  inFolder(async (folder, node) => {
    const steps = [
      dear(`${folder}/a`),
      dear(`${folder}/b`),
    ];
    for (const whoever of [no, {}]) {
      const [result, ...more] = await apply(
        stage,
        node,
        steps,
        context(whoever),
      );
      assertEquals([result?.status, more.length], ["failed", 0]);
      assertStringIncludes(
        result?.problem ?? "",
        "not agreed to, so nothing was done from here on",
      );
    }
    assert(!await exists(`${folder}/a`));
    assertEquals(await readJournal(node), { complete: [], records: [] });
  }));

Deno.test("nobody to ask is a failure that says so", () =>
  inFolder(async (folder, node) => {
    const consent = () => Promise.reject(new StepError("refused: say -y"));
    const steps = [dear(`${folder}/a`)];
    const [result] = await apply(stage, node, steps, context({ consent }));
    assertEquals(result?.problem, "refused: say -y");
    await apply(stage, node, steps, context(yes));
    const [taken] = await undo(stage, node, steps, context({ consent }));
    assertEquals([taken?.status, taken?.problem], [
      "failed",
      "refused: say -y",
    ]);
    assert(await exists(`${folder}/a`), "taken back without consent");
    assertEquals((await readJournal(node)).records.length, 1);
  }));

Deno.test("what the cluster no longer asks for needs the same consent, and the run ends without it", () =>
  inFolder(async (folder, node) => {
    const old = dear(`${folder}/old`);
    const next = { ...dear(`${folder}/next`) };
    await apply(stage, node, [old], context(yes));
    const refused = await apply(stage, node, [next], context(no));
    assertEquals(statuses(refused), ["failed"]);
    assert(await exists(`${folder}/old`));
    assert(!await exists(`${folder}/next`));
    const agreed = await apply(stage, node, [next], context(yes));
    assertEquals(statuses(agreed), ["changed", "changed"]);
    assert(!await exists(`${folder}/old`));
  }));

Deno.test("a step that failed half-way is taken back whatever it left, and has to succeed in that", () =>
  inFolder(async (folder, node) => {
    const [part, lock] = [`${folder}/part`, `${folder}/lock`];
    await Deno.writeTextFile(lock, "");
    const script = 'touch "$1"; exit 3';
    const back = '[ ! -e "$2" ] || exit 5; rm -f "$1"';
    const step: Step = {
      why: "have both parts",
      doneWhen: { ask: cmd`false`, read: () => ({ is: "absent" }) },
      run: cmd`sh -c ${script} make ${part}`,
      undo: { cleanup: cmd`sh -c ${back} take ${part} ${lock}` },
    };
    assertEquals(statuses(await apply(stage, node, [step], context())), [
      "failed",
    ]);
    assertEquals(
      (await readJournal(node)).records.map(({ state, partial }) => ({
        state,
        partial,
      })),
      [{ state: "running", partial: true }],
    );
    assertEquals(statuses(await undo(stage, node, [step], context())), [
      "failed",
    ]);
    assert(await exists(part), "forgotten, though it was not taken back");
    assertEquals((await readJournal(node)).records.length, 1);
    await Deno.remove(lock);
    assertEquals(statuses(await undo(stage, node, [step], context())), [
      "changed",
    ]);
    assert(!await exists(part));
  }));

Deno.test("a step's time limit holds for its probe and, from the journal, for its undo", () =>
  inFolder(async (folder, node) => {
    const limits: [string, number | undefined][] = [];
    const watched: Node = {
      ...node,
      run(command, options) {
        limits.push([command.argv[0], options?.timeout_ms]);
        return node.run(command, options);
      },
    };
    const slow = dear(`${folder}/a`, { timeout_ms: 20_000 });
    const limitOf = (program: string) =>
      limits.filter(([name]) => name === program).map(([, limit]) => limit);
    await apply(stage, watched, [slow], context(yes));
    await undo(stage, watched, [], context(yes));
    assertEquals(limitOf("test"), [20_000]);
    assertEquals(limitOf("touch"), [20_000]);
    assertEquals(limitOf("rm"), [20_000]);
    assertEquals(new Set(limitOf("sh")), new Set([5_000]), "the journal's");
  }));

Deno.test("a dry run also prints what the probe prepares, and asks nobody", () =>
  inFolder(async (folder, node) => {
    const step = dear(`${folder}/a`);
    const prepares = { why: "plan", run: cmd`true plan` };
    assert(step.doneWhen);
    const steps = [{ ...step, doneWhen: { ...step.doneWhen, prepares } }];
    const dry = async (more: { assume?: "absent" }) =>
      (await plan(stage, node, steps, { timeout_ms: 5_000, ...more })).steps
        .map(({ why }) => why);
    assertEquals(await dry({}), ["plan", `have ${folder}/a`]);
    assertEquals(await dry({ assume: "absent" }), [
      "plan",
      `have ${folder}/a`,
    ]);
    await Deno.writeTextFile(`${folder}/a`, "");
    assertEquals(await dry({}), []);
  }));

Deno.test("a step with a key is the same thing when its command is another, and is not taken away first", () =>
  inFolder(async (folder, node) => {
    const path = `${folder}/a`;
    const { consent: _, ...plain } = dear(path);
    const first: Step = { ...plain, key: "the file" };
    await apply(stage, node, [first], context());
    const next: Step = {
      ...first,
      run: cmd`touch -c ${path}`,
      undo: cmd`rm -f ${path}`,
    };
    assertEquals(statuses(await apply(stage, node, [next], context())), ["ok"]);
    const { records } = await readJournal(node);
    assertEquals(
      records.map(({ step, changed, undo }) => ({ step, changed, undo })),
      [{ step: "the file", changed: true, undo: cmd`rm -f ${path}` }],
    );
    const dry = await plan(stage, node, [next], { timeout_ms: 5_000 });
    assertEquals(dry.steps, []);
    const { key: _key, ...nameless } = next;
    assertEquals(
      statuses(await apply(stage, node, [nameless], context())),
      ["changed", "changed"],
      "by its command it is another one: away with it, and anew",
    );
    await undo(stage, node, [nameless], context());
    assert(!await exists(path));
  }));
