/** The rules of CONTRIBUTING.md, "Where things go". */
// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { projectRoot } from "../exec/project_root.ts";
import { run } from "../exec/run.ts";
import { stageNames } from "../stage/stage.ts";
import {
  circles,
  duplicateExports,
  idleFiles,
  importsOf,
  longFunctions,
  packagesOf,
  readRooms,
  roomOf,
  type Source,
  sources,
  strayTests,
  unusedExports,
} from "./structure_testing.ts";

const text = (path: string) => Deno.readTextFile(`${projectRoot}/${path}`);
const all = await sources(projectRoot);
const product = all.filter(({ isTest }) => !isTest);
const library = product.filter(({ path }) => path.startsWith("lib/"));

/** What is wrong with each file, behind its path. */
function eachOf(
  of: readonly Source[],
  wrong: (source: Source) => readonly string[],
): string[] {
  return of.flatMap((source) =>
    wrong(source).map((what) => `${source.path}: ${what}`)
  );
}

Deno.test("CONTRIBUTING.md draws every folder of lib/, and a folder imports from the storeys below it and along the arrows", async () => {
  const rooms = readRooms(await text("CONTRIBUTING.md"));
  const folders = new Set(library.map(({ path }) => roomOf(path)));
  folders.add("std"); // Declarations alone.
  assertEquals(rooms.names.toSorted(), [...folders].toSorted());
  const upward = eachOf(
    library,
    (source) =>
      importsOf(source).map(({ to }) => to).filter((to) =>
        to.startsWith("lib/") && roomOf(to) !== roomOf(source.path) &&
        !rooms.mayImport(roomOf(source.path), roomOf(to))
      ),
  );
  assertEquals(upward, []);
});

Deno.test("no file imports itself by way of others, types included", () => {
  assertEquals(circles(product), []);
});

Deno.test("lib never imports scripts, and of the plugin only what both must agree on; the plugin imports only itself", () => {
  const shared = /^plugin\/(address\/|veth\.ts$|leases\/lease_file\.ts$)/;
  const isAllowed = (from: string, to: string) =>
    from.startsWith("plugin/")
      ? to.startsWith("plugin/")
      : from.startsWith("scripts/") || to.startsWith("lib/") ||
        shared.test(to);
  const wrong = eachOf(product, (source) => [
    ...importsOf(source).map(({ to }) => to)
      .filter((to) => !isAllowed(source.path, to)),
    ...(source.path.startsWith("plugin/") ? packagesOf(source) : []),
  ]);
  assertEquals(wrong, []);
});

Deno.test("each package has one place that imports it, and none is there for nothing", async () => {
  const importers = Map.groupBy(
    product.flatMap((source) =>
      packagesOf(source).map((name) => ({ name, path: source.path }))
    ),
    ({ name }) => name,
  );
  const several = [...importers].filter(([, places]) => places.length > 1)
    .map(([name, places]) =>
      `${name}: ${places.map(({ path }) => path).join(", ")}`
    );
  assertEquals(several, []);
  const { imports } = JSON.parse(await text("deno.json"));
  const used = new Set(all.flatMap(packagesOf));
  assertEquals(Object.keys(imports).toSorted(), [...used].toSorted());
});

Deno.test("only the rim prints, reads the arguments and ends the program", () => {
  const rim = /^(scripts|lib\/cli|lib\/dev)\/|^plugin\/(daemon\/)?main\.ts$/;
  // Programs of their own, which a command starts by their path.
  const programs = /^lib\/(lab\/remove|cloud\/wait_for_sshd)\.ts$/;
  const within = product.filter(({ path }) =>
    !rim.test(path) && !programs.test(path)
  );
  const wrong = eachOf(
    within,
    ({ code }) => code.match(/\bconsole\.\w+|\bDeno\.(exit|args)\b/g) ?? [],
  );
  assertEquals(wrong, []);
});

Deno.test("every file is imported, started by its name, or an entry", () => {
  const entry =
    /^scripts\/[^/]+$|^plugin\/(daemon\/)?main\.ts$|_test\.ts$|\.d\.ts$/;
  assertEquals(idleFiles(all).filter((path) => !entry.test(path)), []);
});

Deno.test("what a file exports, another uses", () => {
  assertEquals(unusedExports(product, all), []);
});

Deno.test("no name is exported by two files", () => {
  assertEquals(duplicateExports(product), []);
});

Deno.test("a test stands beside what it tests, whose name it begins with", () => {
  assertEquals(strayTests(all), []);
});

Deno.test("Makefile, scripts and the list of stages agree", async () => {
  const makefile = await text("Makefile");
  const [, list = ""] = /^stages := (.*)$/m.exec(makefile) ?? [];
  assertEquals(list.split(" "), [...stageNames]);
  const started = makefile.matchAll(/scripts\/([\w-]+)\.ts/g);
  const named = [...started].map(([, name = ""]) => name);
  const scripts = product.flatMap(({ path }) =>
    /^scripts\/([\w-]+)\.ts$/.exec(path)?.[1] ?? []
  );
  assertEquals(
    scripts.toSorted(),
    [...new Set([...named, ...stageNames, "stages"])].toSorted(),
  );
});

Deno.test("a script whose first line says what runs it can be run", async () => {
  const started = product.filter(({ path, text }) =>
    path.startsWith("scripts/") && text.startsWith("#!")
  );
  const modes = await Promise.all(
    started.map(({ path }) => Deno.stat(`${projectRoot}/${path}`)),
  );
  const wrong = started.filter((_, at) =>
    ((modes[at]?.mode ?? 0) & 0o111) === 0
  );
  assertEquals(wrong.map(({ path }) => path), []);
});

Deno.test("a file has at most 300 lines, a function 70, a line 100 characters", () => {
  const wrong = eachOf(product, (source) => {
    const lines = source.text.trimEnd().split("\n");
    const wide = lines.filter((line) => line.length > 100).length;
    return [
      ...(lines.length > 300 ? [`${lines.length} lines`] : []),
      ...longFunctions(source, 70),
      ...(wide > 0 ? [`${wide} lines over 100 characters`] : []),
    ];
  });
  assertEquals(wrong, []);
});

Deno.test("what users' scripts print goes out by lib/cli/print.ts, which escapes what a terminal obeys", () => {
  // Tools for who works on the project, and programs whose readers are programs.
  const own =
    /^lib\/(cli\/print|lab\/remove|cloud\/wait_for_sshd)\.ts$|^lib\/dev\/|^scripts\/(bench|docs|run-tests)/;
  const wrong = product.filter(({ path, code }) =>
    /^(lib|scripts)\/.*\.ts$/.test(path) && !own.test(path) &&
    /\bconsole\.\w+\(/.test(code)
  );
  assertEquals(wrong.map(({ path }) => path), []);
});

Deno.test("a line that runs a target on a cluster is composed by makeLine()", async () => {
  const makefile = await text("Makefile");
  const targets = [...makefile.matchAll(/^([a-z0-9-]+)(?: [a-z0-9 -]+)?:/gm)]
    .map(([, name = ""]) => name).concat(stageNames)
    // On no cluster.
    .filter((name) =>
      !["check", "test", "fmt", "bench", "plugin", "image", "docs"].includes(
        name,
      )
    );
  // --help of each command tells of the default cluster, the tour of a copied file, the page of itself.
  const help =
    /^scripts\/|^lib\/dev\/|^lib\/studio\/|^lib\/cli\/(help|stage_script)\.ts$|^lib\/cluster\/make_line\.ts$|^lib\/exercise\/command_line\.ts$|^lib\/tour\/lab\.ts$/;
  const raw = new RegExp(
    `\\bmake (${
      targets.join("|")
    })(?![a-z0-9-])|(?<!routes |[}] )\\bmake \\$\\{.*`,
    "g",
  );
  const wrong = eachOf(
    product.filter(({ path }) =>
      /^(lib|scripts)\/.*\.ts$/.test(path) && !help.test(path)
    ),
    (source) =>
      source.text.split("\n").filter((line) => !/^\s*(\/?\*|\/\/)/.test(line))
        .flatMap((line) => line.match(raw) ?? []),
  );
  assertEquals(wrong, []);
});

const hasShellcheck = (await run(cmd`shellcheck --version`)).code === 0;

Deno.test({
  name: `shellcheck finds nothing in a shell script${
    hasShellcheck ? "" : " (needs shellcheck)"
  }`,
  ignore: !hasShellcheck,
  async fn() {
    const files = all.map(({ path }) => path).filter((path) =>
      path.endsWith(".sh")
    );
    const { stdout } = await run(cmd`shellcheck --severity=style ${files}`, {
      cwd: projectRoot,
    });
    const found = [...stdout.matchAll(/^In (\S+) line/gm)];
    assertEquals([...new Set(found.map(([, path = ""]) => path))], []);
  },
});
