// @ts-types="../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd, succeeded } from "../lib/exec/command.ts";
import { run } from "../lib/exec/run.ts";
import { calledText } from "../lib/packaging/bundle.ts";
import { takeApart } from "../lib/packaging/parting.ts";
import {
  type Answer,
  type Call,
  config,
  needsRoot,
  root,
  type TestNode,
  testNode,
} from "./sandbox_testing.ts";

/** Called only where a call has to wait for another, which may be in any of them. */
const waiting = new Set(["pause"]);

const latest = { ...config, cniVersion: "1.1.0" };
const dual = {
  ...latest,
  name: "dual",
  bridge: "dual0",
  network: undefined,
  subnet: undefined,
  subnets: ["10.245.1.0/24", "fd00:10:245:1::/64"],
};

/** A plugin that notes each function of its own that is called: a line each in `$CNI_CALLED`. */
async function notingPlugin(folder: string): Promise<string> {
  const deno = Deno.execPath();
  const script = `${folder}/noting.js`;
  const bundled = await run(
    cmd`${deno} bundle --quiet --platform deno --format iife --output ${script} ${root}/plugin/main.ts`,
  );
  assertEquals(succeeded(bundled), true, bundled.stderr);
  const { functions, rest } = takeApart(await Deno.readTextFile(script));
  const noting = functions.map(({ name, text }) => {
    const [head = "", ...body] = text.split("\n");
    assertEquals(head.endsWith("{"), true, `${name}: ${head}`);
    return [`var ${name} = ${head} NOTE("${name}");`, ...body].join("\n");
  });
  const note = `const NOTED = new Set();
    function NOTE(name) {
      if (NOTED.has(name)) return;
      NOTED.add(name);
      const file = Deno.env.get("CNI_CALLED");
      Deno.writeTextFileSync(file, name + "\\n", { append: true });
    }`;
  await Deno.writeTextFile(script, [note, ...noting, ...rest].join("\n"));
  const executable = `${folder}/noting`;
  await Deno.writeTextFile(
    executable,
    `#!/bin/sh\nHOME=/ DENO_DIR=/dev/null/none ` +
      `exec ${deno} run --quiet --no-config -A ${script}\n`,
  );
  await Deno.chmod(executable, 0o755);
  return executable;
}

/** What each command calls where nothing is unusual; also with both families. */
async function calledOn(
  node: TestNode,
  folder: string,
): Promise<Record<string, string[]>> {
  const called: Record<string, string[]> = {};
  async function noted(calls: readonly Call[]): Promise<Answer[]> {
    const file = `${folder}/${calls[0]!.command}`;
    const answers: Answer[] = [];
    for (const call of calls) {
      const said = await node.cni({ ...call, env: { CNI_CALLED: file } });
      assertEquals([said.exit, said.stderr], [0, ""], JSON.stringify(said));
      answers.push(said.json);
    }
    const names = (await Deno.readTextFile(file)).trim().split("\n");
    called[calls[0]!.command] = [...new Set(names)]
      .filter((name) => !waiting.has(name)).sort();
    return answers;
  }
  const [first, second] = [await node.pod("first"), await node.pod("second")];
  const inputs = [latest, dual];
  const unnoted = { CNI_CALLED: "/dev/null" };
  // The first of a network finds no bridge and no store.
  for (const input of inputs) {
    const ifname = input === latest ? "eth0" : "eth1";
    await node.cni({ command: "ADD", pod: first, input, ifname, env: unnoted });
  }
  const adding = inputs.map((input): Call => ({
    command: "ADD",
    pod: second,
    input,
    ifname: input === latest ? "eth0" : "eth1",
  }));
  const [eth0, eth1] = await noted(adding);
  // A runtime hands both of these what ADD answered.
  for (const command of ["CHECK", "DEL"]) {
    const input = { ...latest, prevResult: eth0 };
    const other = { ...dual, prevResult: eth1 };
    await noted([
      { command, pod: second, input },
      { command, pod: second, input: other, ifname: "eth1" },
    ]);
  }
  // The only pod of its network, and the first after others.
  for (const call of adding) {
    await node.cni({ ...call, command: "DEL", pod: first, env: unnoted });
  }
  await noted(adding);
  const attachments = [{ containerID: "second", ifname: "eth0" }];
  const valid = { "cni.dev/valid-attachments": attachments };
  await noted([{ command: "GC", input: { ...latest, ...valid } }]);
  await noted(
    inputs.map((input): Call => ({ command: "STATUS", input })),
  );
  await noted([{ command: "VERSION" }]);
  return called;
}

Deno.test({
  name:
    "what each command calls is in the list that its bundle is made by, and nothing else is (needs root)",
  ignore: needsRoot,
  fn: async () => {
    const folder = await Deno.makeTempDir({ prefix: "deno-cni-called-" });
    try {
      await using node = await testNode(await notingPlugin(folder));
      const called = await calledOn(node, folder);
      const order = ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"];
      const text = JSON.stringify(
        Object.fromEntries(order.map((command) => [command, called[command]])),
        undefined,
        2,
      ) + "\n";
      if (Deno.args.includes("--update")) {
        const list = `${root}/lib/packaging/called.json`;
        await Deno.writeTextFile(list, text);
        return;
      }
      assertEquals(
        JSON.parse(calledText),
        JSON.parse(text),
        "write it anew: deno test -A plugin/main_called_lab_test.ts -- --update",
      );
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
