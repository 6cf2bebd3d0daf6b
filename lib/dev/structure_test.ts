// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import {
  duplicateExports,
  exportsOf,
  importsOf,
  longFunctions,
  readRooms,
  roomOf,
  type Source,
  sources,
} from "./structure_testing.ts";

const root = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");
const all = await sources(root);
const product = all.filter(({ isTest }) => !isTest);
const text = (path: string) => Deno.readTextFile(`${root}/${path}`);

/** Importers of each package, and nobody beside them; tests may use what they like. */
const packages: Readonly<Record<string, RegExp>> = {
  "zx/core": /^lib\/exec\/run\.ts$/,
  "ip-num": /^lib\/net\/cidr\.ts$/,
  yaml: /^lib\/cluster\/yaml\.ts$/,
  "@std/cli/parse-args": /^lib\/cli\/flags\.ts$/,
  "@std/cli/unicode-width": /^lib\/text\//,
};

/** What `lib` takes of the plugin. */
const shared = /^plugin\/(address\/|veth\.ts$|leases\/lease_file\.ts$)/;

/** Where a program speaks to a person and ends: commands, and programs that are started by their path. */
const rim =
  /^(scripts|lib\/cli|lib\/dev)\/|^plugin\/main\.ts$|^lib\/(lab\/remove|cloud\/wait_for_sshd)\.ts$/;

function violations(
  of: readonly Source[],
  rule: (source: Source) => readonly string[],
): string[] {
  return of.flatMap((source) =>
    rule(source).map((what) => `${source.path}: ${what}`)
  );
}

/** What is still to be mended, by the name of its rule; this list may only shrink. */
const exceptions: Readonly<Record<string, readonly string[]>> = JSON.parse(
  await Deno.readTextFile(`${root}/lib/dev/structure_exceptions.json`),
);

function assertNone(rule: string, wrong: readonly string[]): void {
  assertEquals(wrong.toSorted(), (exceptions[rule] ?? []).toSorted());
}

Deno.test("a room imports from the storeys below it and along the arrows, as CONTRIBUTING.md draws them", async () => {
  const rooms = readRooms(await text("CONTRIBUTING.md"));
  const wrong = violations(
    product.filter(({ path }) => path.startsWith("lib/")),
    (source) =>
      importsOf(source).flatMap(({ to }) => {
        if (!to.startsWith("lib/")) return [];
        const [from, into] = [roomOf(source.path), roomOf(to)];
        return from === into || rooms.mayImport(from, into) ? [] : [to];
      }),
  );
  assertNone("storeys", wrong);
  const drawn = rooms.names.toSorted();
  const found = new Set(
    all.filter(({ path }) => /^lib\/.+\//.test(path))
      .map(({ path }) => roomOf(path)),
  );
  assertEquals(drawn, [...found].toSorted());
});

Deno.test("no file imports itself by way of others, types included", () => {
  const next = new Map(
    product.map((source) => [
      source.path,
      importsOf(source).map(({ to }) => to),
    ]),
  );
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]) => {
    const at = way.indexOf(path);
    if (at >= 0) circles.push([...way.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const to of next.get(path) ?? []) visit(to, [...way, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  assertNone("circles", circles);
});

Deno.test("lib never imports scripts, the plugin only itself, lib of it only what both must agree on", () => {
  const wrong = violations(
    product,
    (source) =>
      importsOf(source).flatMap(({ to }) => {
        const { path } = source;
        const bad = path.startsWith("plugin/")
          ? !to.startsWith("plugin/")
          : path.startsWith("lib/") &&
            (to.startsWith("scripts/") ||
              (to.startsWith("plugin/") && !shared.test(to)));
        return bad ? [to] : [];
      }),
  );
  assertNone("floors", wrong);
});

Deno.test("each package has one place that imports it", () => {
  const wrong = violations(
    product,
    ({ path, text }) =>
      [...text.matchAll(/^(?:import |export |\} )[^;]*?from "([^."][^"]*)"/gm)]
        .flatMap(([, name = ""]) =>
          name.startsWith("node:") || packages[name]?.test(path) ? [] : [name]
        ),
  );
  assertNone("packages", wrong);
});

Deno.test("only the rim prints, reads the arguments and ends the program", () => {
  const wrong = violations(
    product.filter(({ path }) => !rim.test(path)),
    ({ code }) => code.match(/\bconsole\.\w+|\bDeno\.(exit|args)\b/g) ?? [],
  );
  assertNone("rim", wrong);
});

Deno.test("every file is imported, started by its name, or a command", () => {
  const imported = new Set(
    all.flatMap((source) => importsOf(source).map(({ to }) => to)),
  );
  const idle = all.map(({ path }) => path).filter((path) =>
    !imported.has(path) &&
    !/^scripts\/[^/]+\.ts$|_test\.ts$|\.d\.ts$|^plugin\/main\.ts$/.test(path) &&
    !all.some(({ path: other, text }) =>
      other !== path && text.includes(path.split("/").at(-1) ?? path)
    )
  );
  assertNone("idle", idle);
});

Deno.test("what a file exports, another uses", () => {
  const used = new Set(
    all.flatMap((source) =>
      importsOf(source).flatMap(({ to, names }) =>
        names.map((name) => `${to}: ${name}`)
      )
    ),
  );
  const unused = violations(
    product,
    (source) =>
      exportsOf(source).filter((name) =>
        !used.has(`${source.path}: ${name}`) &&
        !used.has(`${source.path}: *`)
      ),
  );
  assertNone("unused", unused);
});

Deno.test("no name is exported by two files", () => {
  assertNone("twice", duplicateExports(product));
});

Deno.test("a test stands beside what it tests", () => {
  const paths = new Set(all.map(({ path }) => path));
  const folders = new Set(
    product.map(({ path }) => path.replace(/\/[^/]+$/, "")),
  );
  const astray = [...paths].filter((path) => {
    const [, folder, name] = path.match(/^(.*)\/([^/]+?)(_lab)?_test\.ts$/) ??
      [];
    if (folder === undefined || name === undefined) return false;
    const home = folder.replace(/^scripts\/tests$/, "scripts");
    // "trace_ways_lab_test.ts" tests trace.ts, or the room trace/, in one respect.
    const peers = name.split("_").map((_, at, words) =>
      words.slice(0, at + 1).join("_")
    );
    return !peers.some((peer) =>
      [".ts", ".sh", "_testing.ts"].some((kind) =>
        paths.has(`${home}/${peer}${kind}`)
      ) ||
      [...paths].some((file) =>
        new RegExp(`^${home}/(\\d\\d-)${peer}\\.ts$`).test(file)
      ) ||
      folders.has(`${home}/${peer}`) || home.endsWith(`/${peer}`)
    );
  });
  assertNone("astray", astray);
});

Deno.test("Makefile, scripts and the list of stages agree", async () => {
  const makefile = await text("Makefile");
  const started = [...makefile.matchAll(/scripts\/([\w-]+)\.ts/g)]
    .map(([, name = ""]) => name);
  const stages = makefile.match(/^stages := (.*)$/m)?.[1]?.split(" ") ?? [];
  const { stageNames } = await import("../stage/stage.ts");
  assertEquals(stages, [...stageNames]);
  const scripts = all.flatMap(({ path }) =>
    path.match(/^scripts\/([\w-]+)\.ts$/)?.[1] ?? []
  );
  const commands = new Set([...started, ...stages, "stages"]);
  assertEquals(scripts.toSorted(), [...commands].toSorted());
});

Deno.test("a file has at most 300 lines, a function 70, a line 100 characters", () => {
  const wrong = violations(product, (source) => {
    const lines = source.text.trimEnd().split("\n");
    const wide = lines.filter((line) => line.length > 100);
    return [
      ...(lines.length > 300 ? [`${lines.length} lines`] : []),
      ...longFunctions(source, 70),
      ...wide.length > 0 ? [`${wide.length} lines over 100 characters`] : [],
    ];
  });
  assertNone("sizes", wrong);
});

const shellcheck = await new Deno.Command("sh", {
  args: ["-c", "command -v shellcheck"],
  stdout: "null",
}).output();

Deno.test({
  name: `shellcheck finds nothing in a shell script${
    shellcheck.success ? "" : " (needs shellcheck)"
  }`,
  ignore: !shellcheck.success,
  async fn() {
    const files = all.map(({ path }) => path).filter((path) =>
      path.endsWith(".sh")
    );
    const { code, stdout } = await new Deno.Command("shellcheck", {
      args: ["--severity=style", ...files],
      cwd: root,
    }).output();
    const found = [
      ...new TextDecoder().decode(stdout).matchAll(/^In (\S+) line/gm),
    ]
      .map(([, path = ""]) => path);
    assertNone("shellcheck", [...new Set(found)]);
    assertEquals(code === 0, found.length === 0);
  },
});
