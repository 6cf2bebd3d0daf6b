// @ts-types="../std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { buildPlugin } from "./build.ts";
import { compileCommand } from "./compiled.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { BuildError } from "../stage/errors.ts";
import { projectRoot } from "../exec/project_root.ts";

/** A project with nothing but the plugin's sources, so that this one's dist/ stays as it is. */
async function project(body: (root: string) => Promise<void>): Promise<void> {
  const root = await Deno.makeTempDir({ prefix: "deno-cni-build-" });
  try {
    const copied = await run(cmd`cp -r ${projectRoot}/plugin ${root}/plugin`);
    assert(succeeded(copied), copied.stderr);
    await body(root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

async function versions(executable: string): Promise<string[]> {
  const outcome = await run(cmd`${executable}`, {
    env: { CNI_COMMAND: "VERSION" },
    cwd: "/",
  });
  assert(succeeded(outcome), outcome.stderr);
  return JSON.parse(outcome.stdout).supportedVersions;
}

Deno.test("the portable form runs in place, and is built again only when a source changed", () =>
  project(async (root) => {
    const built = await buildPlugin({ root, form: "portable" });
    assertEquals(built.form, "portable");
    assertEquals((await versions(`${root}/dist/deno-cni`)).at(-1), "1.1.0");
    const made = async () =>
      (await Deno.stat(`${root}/dist/deno-cni-portable/deno-cni-ADD.js`)).mtime;
    const first = await made();
    await buildPlugin({ root, form: "portable" });
    assertEquals(await made(), first);
    await Deno.writeTextFile(
      `${root}/plugin/linux/failpoint.ts`,
      "export function point(_: string) { _; }\n",
    );
    await buildPlugin({ root, form: "portable" });
    assert((await made())! > first!);
  }));

Deno.test("what is installed of the portable form names no folder of this machine but its own", () =>
  project(async (root) => {
    const { files } = await buildPlugin({ root, form: "portable" });
    for (const { source, target } of files) {
      assertStringIncludes(target, "/opt/cni/");
      if (target.endsWith("/deno")) continue;
      assertEquals(
        (await Deno.readTextFile(source)).includes(root),
        false,
        source,
      );
    }
    assertEquals(files.at(-1)?.target, "/opt/cni/bin/deno-cni");
  }));

Deno.test("the portable form cannot be made for another processor, and says so", () =>
  project(async (root) => {
    const architecture = Deno.build.arch === "x86_64" ? "aarch64" : "x86_64";
    await assertRejects(
      () => buildPlugin({ root, architecture, form: "portable" }),
      BuildError,
      architecture,
    );
  }));

Deno.test("deno compile runs to its end with Deno itself as its base binary", () =>
  project(async (root) => {
    await buildPlugin({ root, form: "portable" });
    const command = compileCommand(root, Deno.build.arch, `${root}/compiled`);
    const env = { ...Deno.env.toObject(), DENORT_BIN: Deno.execPath() };
    const outcome = await run(command, { env, timeout_ms: 60_000 });
    assert(succeeded(outcome), outcome.stderr);
    const { size } = await Deno.stat(`${root}/compiled`);
    assert(size > (await Deno.stat(Deno.execPath())).size);
  }));

Deno.test("an executable that does not answer VERSION is not taken for the plugin", () =>
  project(async (root) => {
    const before = Deno.env.get("DENORT_BIN");
    Deno.env.set("DENORT_BIN", Deno.execPath());
    try {
      await assertRejects(
        () => buildPlugin({ root, form: "compiled" }),
        BuildError,
        "VERSION",
      );
    } finally {
      if (before === undefined) Deno.env.delete("DENORT_BIN");
      else Deno.env.set("DENORT_BIN", before);
    }
  }));

Deno.test("where the base binary could not be had, that is remembered and said in one line", () =>
  project(async (root) => {
    await Deno.mkdir(`${root}/.tools`);
    const reason = "the test says so";
    const file =
      `${root}/.tools/no-denort-${Deno.version.deno}-${Deno.build.arch}`;
    await Deno.writeTextFile(file, `${reason}\n`);
    const { form, line } = await buildPlugin({ root });
    assertEquals(form, "portable");
    assertStringIncludes(line, reason);
    assertStringIncludes(line, "--compiled");
    assertEquals(line.includes("\n"), false);
  }));
