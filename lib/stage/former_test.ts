/** A stage that does the same by other means than before: what goes first, and a dry run that knows it. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../exec/command.ts";
import type { Node } from "../node/node.ts";
import { context, inFolder } from "./engine_testing.ts";
import { apply } from "./engine.ts";
import { readJournal } from "./journal.ts";
import { plan, planUndo } from "./plan_node.ts";
import { label, type StepResult } from "./result.ts";
import type { Answer, Step } from "./stage.ts";
import { undo } from "./undo.ts";

const stage = "08-routes";

/** Who made the route: a file with that word in it, one of "plain", "daemon" or another's. */
function route(folder: string, maker: string): Step {
  const path = `${folder}/route`;
  return {
    why: `a route by ${maker}`,
    doneWhen: {
      ask: cmd`sh -c ${`cat ${path} 2>/dev/null || echo none`}`,
      read({ stdout }): Answer {
        const found = stdout.trim();
        if (found === "none") return { is: "absent" };
        if (found === maker) return { is: "present", ours: true };
        const former = ["plain", "daemon"].includes(found);
        return {
          is: "different",
          ...{ found: `a route by ${found}`, remedy: "remove it" },
          ...(former ? { former: true as const } : {}),
        };
      },
    },
    run: cmd`sh -c ${`echo ${maker} >${path}`}`,
    undo: cmd`rm ${path}`,
  };
}

const isThere = ({ code }: Outcome): Answer =>
  code === 0 ? { is: "present", ours: true } : { is: "absent" };

/** A link, which is a folder with its number in a file, and an entry of it, which goes with the folder. */
function link(folder: string, number: number): Step[] {
  const path = `${folder}/link`;
  return [{
    why: "the link",
    holds: "link",
    doneWhen: {
      ask: cmd`sh -c ${`cat ${path}/number 2>/dev/null || echo none`}`,
      read({ stdout }): Answer {
        const found = stdout.trim();
        if (found === `${number}`) return { is: "present", ours: true };
        return found === "none" ? { is: "absent" } : {
          is: "different",
          ...{ found: `its number is ${found}`, remedy: "remove it" },
          former: true,
        };
      },
    },
    run: cmd`sh -c ${`mkdir ${path} && echo ${number} >${path}/number`}`,
    undo: cmd`rm -r ${path}`,
  }, {
    why: "an entry",
    heldBy: "link",
    doneWhen: { ask: cmd`test -e ${path}/entry`, read: isThere },
    run: cmd`touch ${path}/entry`,
    undo: cmd`rm -f ${path}/entry`,
  }];
}

/** A machine, which is a folder, and asked for by its name alone, whatever is in it. */
function machine(folder: string, name: string, number: number): Step {
  const path = `${folder}/${name}`;
  return {
    why: `the machine ${name}`,
    doneWhen: { ask: cmd`test -e ${path}`, read: isThere },
    run: cmd`mkdir ${path} ${`${path}/${number}`}`,
    undo: cmd`rm -r ${path}`,
  };
}

/** What has the commands of these steps done again by itself, as at boot. */
function again(folder: string, steps: readonly Step[]): Step {
  const path = `${folder}/again`;
  const text = steps.map(({ why }) => why).join("\n");
  return {
    key: "done again",
    why: "done again",
    repeats: true,
    doneWhen: {
      ask: cmd`sh -c ${`printf %s "$1" | cmp -s - "$2"`} ask ${text} ${path}`,
      read: isThere,
    },
    run: cmd`sh -c ${`printf %s "$1" >"$2"`} write ${text} ${path}`,
    undo: { cleanup: cmd`rm -f ${path}` },
  };
}

const changed = (results: readonly StepResult[]) =>
  results.filter(({ status }) => status !== "ok")
    .map(({ command }) => command);

/** The commands of a dry run, which have to be those of the run after it. */
async function switched(
  node: Node,
  steps: readonly Step[],
): Promise<readonly string[]> {
  const planned = (await plan(stage, node, steps, {})).steps
    .map(({ run }) => label(run));
  const results = await apply(stage, node, steps, context());
  assertEquals(planned, changed(results));
  const open = (await plan(stage, node, steps, {})).steps;
  assertEquals(open, [], "something is left to do");
  return planned;
}

Deno.test("a dry run takes what goes first for gone, and prints what the run then does", () =>
  inFolder(async (folder, node) => {
    await switched(node, [route(folder, "plain")]);
    for (const maker of ["daemon", "plain"]) {
      const commands = await switched(node, [route(folder, maker)]);
      assertEquals(commands.length, 2, commands.join("\n"));
    }
  }));

Deno.test("what goes by the very command that takes back a step is made anew by that step", () =>
  inFolder(async (folder, node) => {
    const machines = (number: number) => [
      machine(folder, "a", number),
      machine(folder, "b", 1),
    ];
    await switched(node, machines(1));
    assertEquals(await switched(node, machines(2)), [
      `rm -r ${folder}/a`,
      `mkdir ${folder}/a ${folder}/a/2`,
    ]);
  }));

Deno.test("what is in a thing that is made anew is made anew, in a dry run too", () =>
  inFolder(async (folder, node) => {
    await switched(node, link(folder, 1));
    const commands = await switched(node, link(folder, 2));
    assertEquals(commands.length, 3, commands.join("\n"));
    assertEquals(commands.at(-1), `touch ${folder}/link/entry`);
  }));

Deno.test("nothing of an earlier run goes where another's is in the way of what is to take its place", () =>
  inFolder(async (folder, node) => {
    const old = link(folder, 1);
    await apply(stage, node, old, context());
    await Deno.writeTextFile(`${folder}/route`, "another\n");
    const steps = [{ ...link(folder, 1)[1]!, key: "one more" }];
    const results = await apply(
      stage,
      node,
      [...steps, route(folder, "plain")],
      context(),
    );
    assertEquals(results.map(({ status }) => status), ["failed"]);
    assertStringIncludes(results[0]?.problem ?? "", "a route by another");
    await Deno.stat(`${folder}/link/number`);
    assertEquals((await readJournal(node)).records.length, 2);
  }));

Deno.test("what takes nothing away and may fail is done before anything goes, and where it fails, nothing goes", () =>
  inFolder(async (folder, node) => {
    await apply(stage, node, [route(folder, "plain")], context());
    const program = (run: Step["run"]): Step => ({
      key: "a program",
      why: "what makes the route has to be installed",
      ahead: true,
      doneWhen: { ask: cmd`test -e ${`${folder}/program`}`, read: isThere },
      run,
    });
    const daemon = route(folder, "daemon");
    const failed = await apply(
      stage,
      node,
      [program(cmd`sh -c ${"echo no network >&2; exit 1"}`), daemon],
      context(),
    );
    assertEquals(failed.map(({ status }) => status), ["failed"]);
    assertEquals(await Deno.readTextFile(`${folder}/route`), "plain\n");
    const touch = cmd`touch ${`${folder}/program`}`;
    const all = [program(touch), daemon];
    const stopped = await apply(
      stage,
      node,
      all,
      context({ ask: () => Promise.resolve("stop") }),
    );
    assertEquals(stopped, []);
    assertEquals(await switched(node, all), [
      label(touch),
      `rm ${folder}/route`,
      ...("argv" in daemon.run ? [label(daemon.run)] : []),
    ]);
    // Where nothing goes, it is one step of them.
    assertEquals(await switched(node, all), []);
  }));

Deno.test("what would do the old commands again goes ahead of them, also where the run is cut off then", () =>
  inFolder(async (folder, node) => {
    const before = [route(folder, "plain")];
    await apply(stage, node, [...before, again(folder, before)], context());
    const steps = [route(folder, "daemon")];
    const after = [...steps, again(folder, steps)];
    let told = 0;
    const cut = await apply(
      stage,
      node,
      after,
      context({ tell: () => told++, stopping: () => told > 0 }),
    );
    assertEquals(changed(cut), [`rm -f ${folder}/again`]);
    // Another stage's run, or a reboot, would find nothing to do again.
    assertEquals(
      [...Deno.readDirSync(folder)].map(({ name }) => name).toSorted(),
      ["route", "state"],
    );
    const commands = await switched(node, after);
    assertEquals(commands.length, 3, commands.join("\n"));
    // Where the list grew, it is not the last in the journal, and goes first all the same.
    const more = [...steps, { ...route(`${folder}/state`, "plain") }];
    await apply(stage, node, [...more, again(folder, more)], context());
    const all = [...more, again(folder, more)];
    const first = (await planUndo(stage, node, all, {})).steps[0];
    assertEquals(first && label(first.run), `rm -f ${folder}/again`);
    const back = await undo(stage, node, all, context());
    assertEquals(back[0]?.command, `rm -f ${folder}/again`);
  }));

Deno.test("what was known of a step before something went is asked again", () =>
  inFolder(async (folder, node) => {
    await apply(stage, node, link(folder, 1), context());
    const results = await apply(
      stage,
      node,
      link(folder, 2),
      context({
        known: ({ heldBy }) =>
          heldBy === undefined ? undefined : { is: "present", ours: true },
      }),
    );
    assert(
      changed(results).includes(`touch ${folder}/link/entry`),
      JSON.stringify(results),
    );
  }));

Deno.test("what is gone already holds up nothing of what goes with it, and another failure does", () =>
  inFolder(async (folder, node) => {
    const said = [
      'Cannot find device "deno.vxlan"',
      "Error: ipv6: address not found.",
      "Error: ipv4: Address not found.",
      "RTNETLINK answers: Cannot assign requested address",
      "RTNETLINK answers: No such process",
      "iptables: Bad rule (does a matching rule exist in that chain?).",
    ];
    const steps = [...said, "RTNETLINK answers: Operation not permitted"].map(
      (said, at): Step => ({
        why: said,
        run: cmd`true ${at}`,
        undo: cmd`sh -c ${`echo '${said}' >&2; exit 2`}`,
      }),
    );
    const last = route(folder, "plain");
    const run = async (steps: readonly Step[]) =>
      (await apply(stage, node, steps, context()))
        .map(({ status }) => status);
    await run(steps.slice(0, said.length));
    assertEquals(await run([last]), [...said.map(() => "ok"), "changed"]);
    await run([...steps.slice(said.length), last]);
    assertEquals(await run([last]), ["failed"]);
  }));
