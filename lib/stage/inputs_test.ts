// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../exec/command.ts";
import {
  localNode,
  type Node,
  readNodeFile,
  UnreachableError,
} from "../node/node.ts";
import { plan } from "./plan_node.ts";
import { inOrder } from "./in_order.ts";
import { apply } from "./engine.ts";
import type { Step } from "./stage.ts";
import { script } from "./plan_script.ts";
import type { Others, RunContext } from "./context.ts";

const stage = "02-kubeadm";
const secret = "abcdef.0123456789abcdef";

async function inFolder(
  body: (folder: string, node: Node) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder, localNode("worker", `${folder}/worker/journal`));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function context(others: Partial<Others> = {}): RunContext {
  return {
    timeout_ms: 5_000,
    signal: new AbortController().signal,
    stopping: () => false,
    tell: () => {},
    others: {
      node: (name) => localNode(name),
      ended: () => Promise.resolve(true),
      ...others,
    },
  };
}

/** Copies what the other node gives into a file, and says it aloud. */
function taker(folder: string, changes: Partial<Step> = {}): Step {
  return {
    why: "take it",
    input: {
      from: "controlPlane",
      why: "a token",
      ask: cmd`echo token ${secret}`,
      secret: /[a-z]{6}\.\w{16}/g,
    },
    run: cmd`sh -c ${'tee "$1"; cat "$1" >&2'} take ${folder}/taken`,
    ...changes,
  };
}

/** The worker's journal; "" where it says nothing, and so is not there. */
async function journalIn(folder: string): Promise<string> {
  const node = localNode("worker", `${folder}/worker/journal`);
  return await readNodeFile(node, node.journalPath) ?? "";
}

Deno.test("a step reads what another node gives, and it stands in no result and no journal", () =>
  inFolder(async (folder, node) => {
    const results = await apply(stage, node, [taker(folder)], context());
    assertEquals(results.map(({ status }) => status), ["changed"]);
    assertEquals(
      await Deno.readTextFile(`${folder}/taken`),
      `token ${secret}\n`,
    );
    assertEquals(results[0]?.output, "token (hidden)");
    assert(!JSON.stringify(results).includes(secret));
    assert(!(await journalIn(folder)).includes(secret));
  }));

Deno.test("a failed command's outputs are told without the secret", () =>
  inFolder(async (folder, node) => {
    const run = cmd`sh -c ${"cat >&2; exit 3"}`;
    const [result] = await apply(
      stage,
      node,
      [taker(folder, { run })],
      context(),
    );
    assertEquals(result?.status, "failed");
    assertStringIncludes(result?.problem ?? "", "token (hidden)");
    assert(!JSON.stringify(result).includes(secret));
    assert(!(await journalIn(folder)).includes(secret));
  }));

Deno.test("a node that gives nothing, and one that is out of reach, are the reason", () =>
  inFolder(async (folder, node) => {
    const input = {
      from: "controlPlane",
      why: "a token",
      ask: cmd`sh -c ${"echo no API server >&2; exit 1"}`,
    };
    const [silent] = await apply(
      stage,
      node,
      [taker(folder, { input })],
      context(),
    );
    assertStringIncludes(silent?.problem ?? "", "controlPlane did not give");
    assertStringIncludes(silent?.problem ?? "", "no API server");
    const away = {
      ...localNode("controlPlane"),
      run: () =>
        Promise.reject(new UnreachableError("controlPlane", "no route")),
    };
    const [lost] = await apply(
      stage,
      node,
      [taker(folder)],
      context({ node: () => away }),
    );
    assertEquals(lost?.status, "failed");
    assertStringIncludes(
      lost?.problem ?? "",
      "controlPlane could not be asked",
    );
  }));

Deno.test("a step begins when the nodes before it are done, and not without the one that gives its input", () =>
  inFolder(async (folder, node) => {
    const waited: string[] = [];
    const ended = (name: string) => {
      waited.push(name);
      return Promise.resolve(name !== "controlPlane");
    };
    const input = taker(folder).input!;
    const step = taker(folder, {
      input: { ...input, after: ["first", "second"] },
    });
    const [result] = await apply(stage, node, [step], context({ ended }));
    assertEquals(waited, ["first", "second", "controlPlane"]);
    assertEquals(result?.status, "failed");
    assertStringIncludes(
      result?.problem ?? "",
      "controlPlane did not get through this stage",
    );
    // A neighbour that failed only comes before.
    const [done] = await apply(
      stage,
      node,
      [{
        ...step,
        input: { ...input, from: "first", after: ["controlPlane"] },
      }],
      context({ ended }),
    );
    assertEquals(done?.status, "changed");
  }));

Deno.test("a probe may compare with what another node gives", () =>
  inFolder(async (folder, node) => {
    let text = "one";
    const step = (): Step => ({
      why: "keep it",
      input: {
        from: "controlPlane",
        why: "a text",
        ask: cmd`echo ${text}`,
        compared: true,
      },
      doneWhen: {
        ask: cmd`cat ${folder}/kept`,
        read: ({ code, stdout }, input) =>
          code === 0 && stdout === input ? { is: "present" } : { is: "absent" },
      },
      run: cmd`tee ${folder}/kept`,
    });
    const statuses: (string | undefined)[] = [];
    const once = async () => {
      const [result] = await apply(stage, node, [step()], context());
      statuses.push(result?.status);
    };
    const planned = async () => {
      const { others } = context();
      assert(others);
      return (await plan(stage, node, [step()], { others })).steps.length;
    };
    assertEquals(await planned(), 1);
    await once();
    await once();
    assertEquals(await planned(), 0);
    text = "two";
    assertEquals(await planned(), 1);
    await once();
    assertEquals(statuses, ["changed", "ok", "changed"]);
  }));

Deno.test("a dry run shows a pipe from one node to the other, and asks for no secret", () =>
  inFolder(async (folder, node) => {
    const ask = cmd`sh -c ${`touch ${folder}/asked; echo ${secret}`}`;
    const step = taker(folder, {
      input: { from: "controlPlane", why: "a token", ask },
    });
    const planned = await plan(stage, node, [step], context());
    const text = script(stage, planned, (name) => localNode(name)).join("");
    assertStringIncludes(text, ` | sh -c 'tee "$1"; cat "$1" >&2' take `);
    await assertMissing(`${folder}/asked`);
  }));

async function assertMissing(path: string): Promise<void> {
  try {
    await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  throw new Error(`${path} is there`);
}

Deno.test("in turn, a node comes behind those that its steps wait for, also where the file has it first", () => {
  const token = { from: "master", why: "a token", ask: cmd`true` };
  const inputs: Record<string, Pick<Step, "input">> = {
    "worker-2": { input: { ...token, after: ["worker-1"] } },
    "worker-1": { input: token },
  };
  const stepsOf = (name: string): readonly Step[] => [{
    why: "join",
    run: cmd`true`,
    ...inputs[name],
  }];
  const ordered = (
    names: readonly string[],
    stepsOf: (name: string) => readonly Step[],
  ) => [...inOrder(names, stepsOf)].map(({ name }) => name);
  assertEquals(
    ordered(["worker-2", "worker-1", "master"], stepsOf),
    ["master", "worker-1", "worker-2"],
  );
  assertEquals(ordered(["worker-2", "other"], stepsOf), ["worker-2", "other"]);
  // A giver comes first, too.
  const given = ordered(["taker", "giver"], (name) =>
    name === "giver" ? [] : [{
      why: "take",
      run: cmd`true`,
      input: { from: "giver", why: "a text", ask: cmd`true` },
    }]);
  assertEquals(given, ["giver", "taker"]);
});

Deno.test("what a node has no use for is neither told nor recorded", () =>
  inFolder(async (folder, node) => {
    const step: Step = {
      why: "for systemd",
      doneWhen: {
        ask: cmd`true`,
        read: () => ({ is: "unneeded" }),
      },
      run: cmd`touch ${folder}/done`,
    };
    assertEquals(await apply(stage, node, [step], context()), []);
    assert(!(await journalIn(folder)).includes("touch"));
    await assertMissing(`${folder}/done`);
  }));
