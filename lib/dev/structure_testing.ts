/** What the sources import, export and hold, read as text; deno fmt makes that reliable. */

/** A file of the project. */
export interface Source {
  /** From the project's root. */
  readonly path: string;
  readonly text: string;
  /** The text without its comments. */
  readonly code: string;
  readonly isTest: boolean;
}

/** The sources below a root: TypeScript and shell. */
export async function sources(root: string): Promise<readonly Source[]> {
  const found: Source[] = [];
  const folders = ["lib", "plugin", "scripts"];
  for (const folder of folders) {
    for await (
      const { name, isDirectory } of Deno.readDir(`${root}/${folder}`)
    ) {
      const path = `${folder}/${name}`;
      if (isDirectory) folders.push(path);
      if (!/\.(ts|sh)$/.test(name)) continue;
      const text = await Deno.readTextFile(`${root}/${path}`);
      const code = text.replaceAll(/\/\*[^]*?\*\/|(?<=^|\s)\/\/.*$/gm, "");
      const isTest = /_(test|testing)\.ts$|\.d\.ts$/.test(name);
      found.push({ path, text, code, isTest });
    }
  }
  return found.toSorted((a, b) => a.path < b.path ? -1 : 1);
}

/** The first folder below lib/, plugin/ or scripts/; the file's own name where it lies in none. */
export function roomOf(path: string): string {
  return path.split("/")[1] ?? path;
}

/** A file that another imports, and the names that it takes; "*" where it takes all. */
export interface Import {
  readonly to: string;
  readonly names: readonly string[];
}

/** The project's own files that a file imports, or hands on. */
export function importsOf({ path, text }: Source): readonly Import[] {
  const named =
    /^(?:im|ex)port (?:type )?(?:\{([^}]*)\}|(\* as \w+|\*)) from "(\.[^"]+)"/gm;
  const plain = /(?:^import |\bimport\(\s*)"(\.[^"]+)"/gm;
  const resolve = (to: string) =>
    new URL(to, `file:///${path}`).pathname.slice(1);
  return [
    ...[...text.matchAll(named)].map(([, names, , to = ""]) => ({
      to: resolve(to),
      names: names === undefined
        ? ["*"]
        : names.split(",").map((name) =>
          name.trim().replace(/^type /, "").replace(/ as .*/, "")
        ).filter((name) => name !== ""),
    })),
    ...[...text.matchAll(plain)].map(([, to = ""]) => ({
      to: resolve(to),
      names: ["*"],
    })),
  ];
}

/** The packages that a file imports, by the names of the import map; what Deno has itself is none. */
export function packagesOf({ text }: Source): readonly string[] {
  const named =
    /(?:^(?:(?:im|ex)port .*|\} )from |\bawait import\()"([^."][^"]*)"/gm;
  return [...text.matchAll(named)].map(([, name = ""]) => name)
    .filter((name) => !name.startsWith("node:"));
}

/** The ways from a file by its imports back to itself. */
export function circles(of: readonly Source[]): readonly string[] {
  const next = new Map(
    of.map((source) => [source.path, importsOf(source).map(({ to }) => to)]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]) => {
    const at = way.indexOf(path);
    if (at >= 0) found.push([...way.slice(at), path].join(" -> "));
    if (at >= 0 || done.has(path)) return;
    for (const to of next.get(path) ?? []) visit(to, [...way, path]);
    done.add(path);
  };
  for (const path of next.keys()) visit(path, []);
  return found;
}

/** The files that no other imports or names. */
export function idleFiles(of: readonly Source[]): readonly string[] {
  const imported = new Set(of.flatMap(importsOf).map(({ to }) => to));
  const isNamed = (path: string) => {
    const name = path.split("/").at(-1) ?? path;
    return of.some((other) => other.path !== path && other.text.includes(name));
  };
  return of.map(({ path }) => path)
    .filter((path) => !imported.has(path) && !isNamed(path));
}

/** The exports that no other file imports, each behind its file. */
export function unusedExports(
  of: readonly Source[],
  users: readonly Source[],
): readonly string[] {
  const used = new Set(
    users.flatMap(importsOf)
      .flatMap(({ to, names }) => names.map((name) => `${to}: ${name}`)),
  );
  return of.flatMap((source) =>
    exportsOf(source).map((name) => `${source.path}: ${name}`)
      .filter((one) => !used.has(one) && !used.has(`${source.path}: *`))
  );
}

/**
 * The tests whose name begins with the name of no file beside them, nor of
 * their folder; those of scripts/ lie in scripts/tests/.
 */
export function strayTests(of: readonly Source[]): readonly string[] {
  const homeOf = (path: string) =>
    path.replace(/\/[^/]+$/, "").replace(/^scripts\/tests$/, "scripts");
  const nameOf = (path: string) => path.replace(/^.*\/|(_testing)?\.\w+$/g, "");
  const subjects = of.filter(({ path }) => !/_test\.ts$/.test(path));
  return of.map(({ path }) => path).filter((path) =>
    /_test\.ts$/.test(path) &&
    ![
      homeOf(path),
      ...subjects.map(({ path }) => path)
        .filter((other) => homeOf(other) === homeOf(path)),
    ]
      .some((subject) => nameOf(path).startsWith(`${nameOf(subject)}_`))
  );
}

/** The names that a file exports. */
export function exportsOf({ code }: Source): readonly string[] {
  const declared =
    /^export (?:async )?(?:function\*?|const|let|class|interface|type|abstract class) (\w+)/gm;
  return [...code.matchAll(declared)].map(([, name = ""]) => name);
}

/** Names that several files export, each with those files. */
export function duplicateExports(of: readonly Source[]): readonly string[] {
  const homes = new Map<string, string[]>();
  for (const source of of) {
    for (const name of new Set(exportsOf(source))) {
      homes.set(name, [...homes.get(name) ?? [], source.path]);
    }
  }
  return [...homes].filter(([, paths]) => paths.length > 1)
    .map(([name, paths]) => `${name}: ${paths.join(", ")}`);
}

/** The functions that are longer than this many lines. */
export function longFunctions(
  { text }: Source,
  most: number,
): readonly string[] {
  const lines = text.split("\n");
  const opening =
    /^(\s*)(?:export )?(?:async )?(?:function\*? (\w+)|const (\w+) = (?:async )?\(|(?<=^ {2})(?:(?:async|get|static) )?#?(\w+)\()/;
  return lines.flatMap((line, at) => {
    const [, indent, ...names] = line.match(opening) ?? [];
    if (indent === undefined || !/[{(]$/.test(line)) return [];
    const end = lines.findIndex((other, later) =>
      later > at && other.startsWith(`${indent}}`)
    );
    const length = end - at + 1;
    const name = names.find((name) => name !== undefined);
    return length > most ? [`${name} has ${length} lines`] : [];
  });
}

/** The rooms of lib/, as a page draws them. */
export interface Rooms {
  readonly names: readonly string[];
  readonly mayImport: (from: string, into: string) => boolean;
}

/**
 * Reads the drawing of the storeys: a line each, "NUMBER NAME  ROOM ─▶ ROOM · ROOM", the highest first.
 *
 * @throws {Error} when the page has none
 */
export function readRooms(page: string): Rooms {
  const storeys = [...page.matchAll(/^ ?(\d) [a-z]+(?: \d\d)? {2,}(.+)$/gm)]
    .map(([, number, rooms = ""]) => ({
      number: Number(number),
      ways: rooms.split(/ · | {2,}/).map((way) => way.trim().split(" ─▶ ")),
    }));
  if (storeys.length === 0) throw new Error("the page draws no storeys");
  const heights = new Map(
    storeys.flatMap(({ number, ways }) =>
      ways.flat().map((room) => [room, number] as const)
    ),
  );
  const alongArrows = (from: string, into: string) =>
    storeys.some(({ ways }) =>
      ways.some((way) =>
        way.includes(from) && way.indexOf(from) < way.indexOf(into)
      )
    );
  return {
    names: [...heights.keys()],
    mayImport: (from, into) =>
      (heights.get(from) ?? -1) > (heights.get(into) ?? Infinity) ||
      alongArrows(from, into),
  };
}
