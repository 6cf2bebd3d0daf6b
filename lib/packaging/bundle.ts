/**
 * The plugin's modules as one text for V8, with the functions that a call needs marked to be
 * compiled at once.
 *
 * Unless told, V8 only looks for a function's end when it reads a program, and parses it again
 * when it is first called;
 * a plugin is called once, so half of that is wasted. A function in parentheses is compiled as
 * it is read.
 */
import { cmd, type Command, ending, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";

/** A text that is not what the bundler is known to write, or a bundler that fails. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

/**
 * Modules of which a usual ADD or DEL calls little: what is rare, and what need not be quick.
 * Their functions stay unmarked.
 */
const rare: ReadonlySet<string> = new Set([
  "bitmap.ts",
  "check.ts",
  "delegate.ts",
  "errno.ts",
  "failure.ts",
  "file_error.ts",
  "gc.ts",
  "living.ts",
  "log.ts",
  "restore.ts",
  "status.ts",
  "store_state.ts",
  "text.ts",
  "valid_attachments.ts",
]);

/** Larger functions of other modules of which the same is true. */
const rareFunctions: ReadonlySet<string> = new Set([
  "addressFault",
  "checkIpv6",
  "checkMac",
  "feedStdin",
  "impossibleLink",
  "inspectBridge",
  "makeBridge",
  "newBridge",
  "parseLease",
  "parseResult",
  "readEvery",
  "refresh",
  "removeFolder",
  "singles",
  "subnetFull",
  "takeWanted",
  "unnamed",
]);

/** What stands for the opening of a mark until the minifier, which drops parentheses, is done. */
const mark = "__COMPILED_AT_ONCE__";

/**
 * Bundles a module and all that it imports.
 *
 * @param entry the module's path
 * @param output where the bundle comes to lie, whole or not at all; its folder is there
 * @throws {BundleError}
 */
export async function bundle(entry: string, output: string): Promise<void> {
  const deno = bundler();
  // Beside the output, so that the last step is a rename on one file system.
  const folder = await Deno.makeTempDir({
    dir: output.replace(/\/[^/]*$/, ""),
  });
  const file = `${folder}/bundle.js`;
  try {
    await must(cmd`${deno} --format iife --output ${file} ${entry}`);
    await Deno.writeTextFile(file, marking(await Deno.readTextFile(file)));
    const small = `${folder}/small.js`;
    await must(cmd`${deno} --format iife --minify --output ${small} ${file}`);
    const minified = await Deno.readTextFile(small);
    await Deno.writeTextFile(small, minified.replaceAll(`${mark}(`, "("));
    await Deno.rename(small, output);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Bundles a module and all that it imports as one module that can be read, a line
 * `// <path from the root>` before each of those that it was made of.
 *
 * @param root the project's folder
 * @param entry the module's path from the root
 * @param output where the bundle comes to lie; its folder is there
 * @throws {BundleError}
 */
export async function bundleModule(
  root: string,
  entry: string,
  output: string,
): Promise<void> {
  await must(
    cmd`${bundler()} --format esm --output ${output} ${entry}`,
    entry,
    root,
  );
}

function bundler(): string[] {
  return [Deno.execPath(), "bundle", "--quiet", "--platform", "deno"];
}

/**
 * Turns each function declaration at the top of a bundle into a marked function expression,
 * before everything else:
 * a declared function, too, is there before the first statement runs.
 *
 * @param bundled what `deno bundle --format iife` writes without `--minify`: a line `//
 * <path>` before each module,
 *   its top level indented by two
 * @throws {BundleError} for a text of another form, lest the marks get lost unnoticed
 */
export function marking(bundled: string): string {
  const [opening, ...lines] = bundled.trimEnd().split("\n");
  if (opening !== "(() => {" || lines.pop() !== "})();") {
    throw new BundleError(
      'Cannot mark the functions of the bundle: expected "(() => {" and "})();" around ' +
        "it, as deno bundle --format iife writes",
    );
  }
  const functions: string[] = [];
  const rest: string[] = [];
  let module = "";
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    module = /^ {2}\/\/ (?:.*\/)?([^/]+\.ts)$/.exec(line)?.[1] ?? module;
    const head = /^ {2}(function\*?) (\w+)(\(.*)$/.exec(line);
    if (
      head === null || rare.has(module) || rareFunctions.has(head[2] ?? "")
    ) {
      rest.push(line);
      continue;
    }
    const [, keyword, name, tail] = head;
    const end = line.endsWith("}") ? at : lines.indexOf("  }", at);
    if (end < 0) throw new BundleError(`Cannot find the end of ${name}`);
    const body = [`${keyword}${tail}`, ...lines.slice(at + 1, end + 1)];
    functions.push(`  var ${name} = ${mark}(${body.join("\n")});`);
    at = end;
  }
  if (functions.length === 0) {
    throw new BundleError("Cannot mark any function of the bundle: none found");
  }
  return [opening, ...functions, ...rest, "})();", ""].join("\n");
}

async function must(
  command: Command,
  what = "the plugin",
  cwd?: string,
): Promise<void> {
  const options = { timeout_ms: 60_000, ...(cwd === undefined ? {} : { cwd }) };
  const outcome = await run(command, options);
  if (succeeded(outcome)) return;
  throw new BundleError(
    `Cannot bundle ${what}: ${ending(outcome)}: ${outcome.stderr.trim()}`,
  );
}
