// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { localNode, type Node } from "../node/node.ts";
import { agentAtWork, agentLockPath } from "../stage/agent_lock.ts";
import { leftToAgent } from "../stage/left_to_agent.ts";
import type { RunContext } from "../stage/context.ts";
import { lockMachine } from "./machine_lock.ts";

const { signal } = new AbortController();

/** A machine whose root is a folder; and the same, reached by commands alone. */
async function onMachine(
  body: (seen: Node, far: Node, root: string) => Promise<void>,
): Promise<void> {
  const root = await Deno.makeTempDir();
  const local = localNode("one");
  const seen: Node = { ...local, root: () => root };
  const far: Node = {
    ...local,
    root: () => undefined,
    run: ({ argv, ...rest }, options) =>
      local.run({
        ...rest,
        argv: [
          argv[0],
          ...argv.slice(1).map((word) =>
            word === agentLockPath ? `${root}${word}` : word
          ),
        ],
      }, options),
  };
  try {
    await body(seen, far, root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

Deno.test("a second agent waits until the first has ended, and scripts are told which one is at work", () =>
  onMachine(async (seen, far) => {
    const log: string[] = [];
    const tell = (line: string) => void log.push(line);
    for (const node of [seen, far]) {
      assertEquals(await agentAtWork(node, { signal }), undefined);
    }
    const unlock = await lockMachine(seen, "1.2.3", tell, signal);
    const text = `version 1.2.3, process ${Deno.pid}`;
    for (const node of [seen, far]) {
      assertEquals(await agentAtWork(node, { signal }), text);
    }
    const second = lockMachine(seen, "1.2.4", tell, signal);
    while (log.length === 0) await new Promise((go) => setTimeout(go, 1));
    assertStringIncludes(
      log[0] ?? "",
      `another agent is at work here (${text})`,
    );
    unlock();
    const unlockSecond = await second;
    assertStringIncludes(await agentAtWork(far, {}) ?? "", "version 1.2.4");
    unlockSecond();
    for (const node of [seen, far]) {
      assertEquals(await agentAtWork(node, { signal }), undefined);
    }
  }));

Deno.test("one that waits ends when it is to end, and leaves the lock to its holder", () =>
  onMachine(async (seen) => {
    const unlock = await lockMachine(seen, "1", () => {}, signal);
    const ending = new AbortController();
    const waiting = lockMachine(
      seen,
      "2",
      () => ending.abort(),
      ending.signal,
    );
    (await waiting)();
    assertStringIncludes(
      await agentAtWork(seen, { signal }) ?? "",
      "version 1",
    );
    unlock();
  }));

Deno.test("a machine that takes no files has an agent all the same", () =>
  onMachine(async (seen, _far, root) => {
    await Deno.writeTextFile(`${root}/run`, "no folder");
    const log: string[] = [];
    (await lockMachine(seen, "1", (line) => void log.push(line), signal))();
    assertStringIncludes(log.join(), "cannot keep its lock on disk");
    assertEquals(await agentAtWork(seen, { signal }), undefined);
  }));

Deno.test("a script leaves stages 03 to 08 to the agent of a machine, and the others not", () =>
  onMachine(async (seen) => {
    const told: unknown[] = [];
    const context: RunContext = {
      timeout_ms: 10_000,
      signal,
      stopping: () => false,
      tell: (result) => told.push(result),
    };
    const left = (name: "08-routes" | "09-verify") =>
      leftToAgent(
        context,
        { name, summary: "", afterwards: () => undefined },
        seen,
      );
    assertEquals(await left("08-routes"), undefined);
    const unlock = await lockMachine(seen, "1", () => {}, signal);
    const results = await left("08-routes");
    assert(results !== undefined);
    assertEquals(told, [...results]);
    assertStringIncludes(
      results[0]?.problem ?? "",
      "keeps stages 03 to 08 on one",
    );
    assertEquals(await left("09-verify"), undefined);
    unlock();
  }));
