// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { type Command } from "../exec/command.ts";
import {
  addCommands,
  type Attachment,
  canCheck,
  checkCommands,
  delCommands,
  type NetworkList,
  parseAddResult,
  parseList,
  pluginFolder,
  RuntimeError,
} from "./runtime.ts";
import { run } from "../exec/run.ts";

const attachment: Attachment = {
  containerId: "09-verify-web",
  netns: "/run/netns/web",
  podName: "web",
};

const list: NetworkList = {
  name: "net",
  cniVersion: "1.0.0",
  disableCheck: false,
  plugins: [{ type: "first", mtu: 1400 }, { type: "second" }],
};

const text = '{"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},' +
  '{"name":"veth1"},{"name":"eth0","sandbox":"/run/netns/web"}],' +
  '"ips":[{"address":"10.244.1.7/24"},{"address":"fd00::7/64"}]}';

/** Makes plugins out of shell scripts, and commands that find them. */
async function withPlugins(
  scripts: Readonly<Record<string, string>>,
  body: (
    folder: string,
    at: (command: Command) => Command,
  ) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, script] of Object.entries(scripts)) {
      await Deno.writeTextFile(`${folder}/${name}`, `#!/bin/sh\n${script}\n`, {
        mode: 0o755,
      });
    }
    await body(folder, ({ argv: [program, ...args], ...rest }) => ({
      ...rest,
      argv: [
        program,
        ...args.map((arg) => arg.replace(`${pluginFolder}/`, `${folder}/`)),
      ],
    }));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("ADD gives every plugin the former's result, and leaves the last one's", () =>
  withPlugins({
    first:
      `cat >"$0.in"; printf "%s\\n" '{"from":"first","text":"a } \\" \\\\n $HOME"}'`,
    second: `cat >"$0.in"; echo '${text}'`,
  }, async (folder, at) => {
    const file = `${folder}/result.json`;
    for (const command of addCommands(list, attachment, file)) {
      assertEquals((await run(at(command))).code, 0);
    }
    const read = async (name: string) =>
      JSON.parse(await Deno.readTextFile(`${folder}/${name}`));
    assertEquals(await read("first.in"), {
      type: "first",
      mtu: 1400,
      name: "net",
      cniVersion: "1.0.0",
    });
    assertEquals(await read("second.in"), {
      type: "second",
      name: "net",
      cniVersion: "1.0.0",
      prevResult: { from: "first", text: 'a } " \\n $HOME' },
    });
    assertEquals(await Deno.readTextFile(file), `${text}\n`);
  }));

Deno.test("what a plugin of ADD says when it fails is shown, and no result is left", () =>
  withPlugins({
    first: `cat >/dev/null; echo '{"code":7,"msg":"no"}'; exit 3`,
  }, async (folder, at) => {
    const [command] = addCommands(list, attachment, `${folder}/result.json`);
    assert(command);
    const outcome = await run(at(command));
    assertEquals(outcome.code, 3);
    assertEquals(outcome.stdout, '{"code":7,"msg":"no"}\n');
    const left = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(left, ["first"]);
  }));

Deno.test("plugins get the variables that Kubernetes' runtimes set", () =>
  withPlugins({ first: `env | grep ^CNI_ | sort` }, async (folder, at) => {
    const one = { ...list, plugins: list.plugins.slice(0, 1) };
    const [command] = addCommands(one, attachment, `${folder}/result.json`);
    assert(command);
    await run(at(command));
    assertEquals(
      (await Deno.readTextFile(`${folder}/result.json`)).trim().split("\n"),
      [
        "CNI_ARGS=IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=09-verify-web",
        "CNI_COMMAND=ADD",
        "CNI_CONTAINERID=09-verify-web",
        "CNI_IFNAME=eth0",
        "CNI_NETNS=/run/netns/web",
        "CNI_PATH=/opt/cni/bin",
      ],
    );
  }));

Deno.test("DEL goes through the plugins in reverse, CHECK forwards, both with ADD's result", () => {
  const result = parseAddResult(text, "it");
  const types = (commands: readonly Command[]) =>
    commands.map(({ argv }) => argv.at(-1));
  const forwards = [`${pluginFolder}/first`, `${pluginFolder}/second`];
  assertEquals(types(checkCommands(list, attachment, result)), forwards);
  assertEquals(
    types(delCommands(list, attachment, result)),
    forwards.toReversed(),
  );
  for (const { stdin } of delCommands(list, attachment, result)) {
    assertEquals(JSON.parse(stdin ?? "").prevResult, JSON.parse(text));
  }
  const [first] = delCommands(list, attachment, undefined);
  assert(!first?.stdin?.includes("prevResult"));
});

Deno.test("parseResult() gives the first address, and the links that are on the node", () => {
  const { address, hostLinks } = parseAddResult(text, "it");
  assertEquals(address, "10.244.1.7");
  assertEquals(hostLinks, ["cni0", "veth1"]);
});

Deno.test("parseResult() refuses what is no result, naming the file", () => {
  for (const wrong of ["", "[]", "{}", '{"ips":[]}', '{"ips":[{}]}', "{"]) {
    const error = assertThrows(
      () => parseAddResult(wrong, "/run/x.json"),
      RuntimeError,
    );
    assertStringIncludes(error.message, "/run/x.json is no result of ADD");
  }
});

Deno.test("parseList() takes lists and single plugins alike", () => {
  const plugin = { type: "bridge", mtu: 1400 };
  const whole = parseList(
    JSON.stringify({ cniVersion: "1.1.0", name: "n", plugins: [plugin] }),
    "it",
  );
  assertEquals(whole.plugins, [plugin]);
  const single = { cniVersion: "0.3.1", name: "n", ...plugin };
  assertEquals(parseList(JSON.stringify(single), "it").plugins, [single]);
});

Deno.test("parseList() says what is wrong with a configuration, and where", () => {
  const wrongs: [string, string][] = [
    ["", "expected a JSON object"],
    ["[]", "expected a JSON object"],
    ['{"plugins":[{"type":"x"}]}', '"name"'],
    ['{"name":"n","cniVersion":1,"type":"x"}', '"cniVersion"'],
    ['{"name":"n","plugins":[]}', "at least one plugin"],
    ['{"name":"n","plugins":[{}]}', '"type"'],
    ['{"name":"n","plugins":[{"type":"../sh"}]}', '"type"'],
  ];
  for (const [text, part] of wrongs) {
    const error = assertThrows(() => parseList(text, "FILE"), RuntimeError);
    assertStringIncludes(error.message, "FILE is no network configuration");
    assertStringIncludes(error.message, part);
  }
});

Deno.test("canCheck() is for 0.4.0 and newer, where the list does not forbid it", () => {
  const can = (cniVersion: string, disableCheck = false) =>
    canCheck({ ...list, cniVersion, disableCheck });
  assertEquals(
    ["0.1.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"].map((version) =>
      can(version)
    ),
    [false, false, true, true, true],
  );
  assertEquals(can("1.0.0", true), false);
});
