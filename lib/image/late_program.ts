/**
 * A program that Deno does not read before it runs: a module is read whole by Deno, for what
 * it imports, and then by V8; for one of a megabyte the first keeps 17 MB until the process
 * ends. A text that is evaluated is read by V8 alone. Pure.
 */
import { BuildError } from "../stage/errors.ts";

/** What of a module has its own words in a text. */
const own = { meta: "IMPORT_META", builtin: "BUILTIN_MODULE" } as const;

const importing =
  /^import (?:\* as (\w+)|\{([^}]*)\}) from "(node:[a-z_/]+)";\n/gm;

const loading = /\bimport\("(node:[a-z_/]+)"\)/g;

/**
 * The text of a bundle that is no module any more.
 *
 * @param bundled a module that imports modules of Node alone
 * @throws {BuildError} where something of it makes sense in a module only
 */
export function lateProgram(bundled: string): string {
  const imports: string[] = [];
  const body = bundled.replace(/^#!.*\n/, "").replaceAll(
    importing,
    (_, whole: string | undefined, names: string | undefined, from: string) => {
      const what = whole ??
        `{ ${(names ?? "").trim().replaceAll(" as ", ": ")} }`;
      imports.push(`const ${what} = ${own.builtin}("${from}");\n`);
      return "";
    },
  ).replaceAll(loading, `Promise.resolve(${own.builtin}("$1"))`)
    .replaceAll("import.meta", own.meta);
  const [left] = /^(import|export)\b.*$/m.exec(body) ?? [];
  if (left !== undefined) {
    throw new BuildError(
      `Cannot make a text of the bundle: expected imports of node: alone, found "${
        left.slice(0, 60)
      }"`,
    );
  }
  return `"use strict";\n${imports.join("")}${body}`;
}

/**
 * The module that runs such a text.
 *
 * @param file its name, beside the module
 */
export function starterOf(file: string): string {
  return `// Runs ${file}, which Deno would read for what it imports, were it a module.
import process from "node:process";
const text = Deno.readTextFileSync(new URL("${file}", import.meta.url));
const Program = (async () => {}).constructor;
await new Program("${own.meta}", "${own.builtin}", text)(
  { url: import.meta.url, dirname: import.meta.dirname },
  (name) => process.getBuiltinModule(name),
);
`;
}
