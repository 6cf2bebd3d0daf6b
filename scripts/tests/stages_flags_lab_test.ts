/** The flags of all commands: each takes what its help names, by itself and through make. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";

const scripts = (await Array.fromAsync(Deno.readDir(`${projectRoot}/scripts`)))
  .map(({ name }) => name).filter((name) => name.endsWith(".ts"))
  .filter((name) => name !== "stages.ts").toSorted();

const script = (name: string, ...args: string[]) =>
  run(
    cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/${name} ${args}`,
  );

Deno.test("every command's help fits a terminal, and names the flag that every other one is refused for", async () => {
  for (const name of scripts) {
    const help = await script(name, "--help");
    assertEquals(help.code, 0, help.stderr);
    assertStringIncludes(help.stdout, `scripts/${name}: `);
    assertStringIncludes(help.stdout, "-h, --help  ");
    const wide = help.stdout.split("\n").filter((line) => line.length > 82);
    assertEquals(wide, [], name);
    const wrong = await script(name, "--nonsense");
    assertEquals([wrong.code, wrong.stdout], [2, ""], name);
    assertStringIncludes(wrong.stderr, "--nonsense: no such flag");
  }
});

Deno.test("a command refuses the flags that mean nothing to it, with the reason or the nearest", async () => {
  for (
    const [name, flag, message] of [
      ["picture.ts", "--port=1", "--port: no such flag"],
      [
        "studio.ts",
        "--undo",
        "--undo: no such flag: those are buttons of the page",
      ],
      ["plugin.ts", "--pod=x", "--pod: no such flag"],
      ["shell.ts", "--undo", "--undo: no such flag"],
      ["04-bridge.ts", "--pod=x", "--pod: no such flag; did you mean --node?"],
      ["04-bridge.ts", "--portable", "--portable: no such flag"],
      ["up.ts", "--dryrun", "did you mean --dry-run?"],
      ["run-tests.ts", "--quiet", "--quiet: no such flag"],
    ] as const
  ) {
    const { code, stderr } = await script(name, flag);
    assertEquals(code, 2, `${name} ${flag}`);
    assertStringIncludes(stderr, message);
  }
});

Deno.test("through make, a flag in ARGS beats CLUSTER, NODE, POD, FROM and TO, which beat the environment", async () => {
  const folder = await Deno.makeTempDir({ prefix: "two words " });
  const lab = `${folder}/lab.yaml`;
  await Deno.copyFile(`${projectRoot}/config/lab.yaml`, lab);
  const { MAKEFLAGS: _, MAKELEVEL: __, ARGS: ___, ...own } = Deno.env
    .toObject();
  const env = {
    ...own,
    DENO_CNI_STATE: `${folder}/state`,
    DENO_CNI_CLUSTER: "/environment.yaml",
  };
  const said = async (...words: string[]) => {
    const { stderr } = await run(
      cmd`make --no-print-directory -C ${projectRoot} ${words}`,
      { env },
    );
    return stderr;
  };
  const given = ["picture", "trace", "status", "01-provision", "up", "shell"];
  for (const target of given) {
    const ends = ["FROM=master", "TO=worker-1", "NODE=master"];
    const one = [target, ...ends, "CLUSTER=/variable.yaml"];
    assertStringIncludes(await said(target, ...ends), "/environment.yaml");
    assertStringIncludes(await said(...one), "/variable.yaml");
    const both = await said(...one, "ARGS=--cluster /flag.yaml");
    assertStringIncludes(both, "/flag.yaml");
    assert(!both.includes("/variable.yaml"), both);
  }
  const inLab = (...words: string[]) => said(...words, `CLUSTER=${lab}`);
  assertStringIncludes(
    await inLab("shell", "NODE=a", "ARGS=--node b"),
    "--node b: no such node",
  );
  assertStringIncludes(await inLab("shell", "NODE=a"), "--node a: no such");
  const ends = ["trace", "FROM=a", "TO=b"];
  assertStringIncludes(await inLab(...ends), "--from a: expected a pod");
  assertStringIncludes(
    await inLab(...ends, "ARGS=--from master --to c"),
    "--to c: expected a pod",
  );
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a state folder that cannot be one is told in a line, without a stack, by exit code 2", async () => {
  const folder = await Deno.makeTempDir();
  const file = `${folder}/file`;
  await Deno.writeTextFile(file, "");
  const deno = `${Deno.execPath()} run -A --no-check ${projectRoot}/scripts`;
  const places: [string, string, string][] = [
    [file, "", "Not a directory"],
    [`${folder}/${"x".repeat(300)}`, "", "File name too long"],
    ["/proc/self", "", "No such file or directory"],
  ];
  // A file system of one's own wants root.
  if (Deno.uid() === 0) {
    const mount = `mount -t tmpfs -o ro none ${folder} && exec `;
    places.push([`${folder}/state`, mount, "Read-only file system"]);
  }
  for (const [state, mount, why] of places) {
    for (const name of ["04-bridge", "picture"]) {
      const script = `${mount}${deno}/${name}.ts`;
      const command = mount === ""
        ? cmd`sh -c ${script}`
        : cmd`unshare --mount sh -c ${script}`;
      const { code, stderr } = await run(command, {
        env: { ...Deno.env.toObject(), DENO_CNI_STATE: state },
      });
      assertEquals(code, 2, `${name} ${state}: ${stderr}`);
      assertStringIncludes(stderr, `${state}/lab`);
      assertStringIncludes(stderr, why);
      assertStringIncludes(stderr, "DENO_CNI_STATE");
      assert(!/\n\s+at /.test(stderr), stderr);
    }
  }
  await Deno.remove(folder, { recursive: true });
});
