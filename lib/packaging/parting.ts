/**
 * A bundle in two: what a call of one command needs is compiled at once, and the rest is a text
 * that nothing reads until it is called. V8 reads a whole program before it runs a line of it,
 * and for a plugin, which is started for each call, that is half of the call.
 *
 * Which functions a command calls is a matter of time alone: whatever is missing in the list is
 * compiled when it is first called. Pure.
 */

/** A text that is not what the bundler is known to write, or a bundler that fails. */
export class BundleError extends Error {
  override readonly name = "BundleError";
}

// Placeholders that the minifier, which drops parentheses and renames, leaves alone.
const atOnce = "__COMPILED_AT_ONCE__";
const later = "__COMPILED_LATER__";
const end = "__COMPILED_LATER_ENDS__";

/** A function declared at the top of a bundle. */
interface Declared {
  readonly name: string;
  /** The function as an expression without a name. */
  readonly text: string;
  /** The file that it is from. */
  readonly module: string;
}

/**
 * Takes the function declarations out of a bundle.
 *
 * @param bundled what `deno bundle --format iife` writes without `--minify`: a line `// <path>`
 * before each module, its top level indented by two
 * @throws {BundleError} for a text of another form
 */
export function takeApart(
  bundled: string,
): { functions: Declared[]; rest: string[] } {
  const [opening, ...lines] = bundled.trimEnd().split("\n");
  if (opening !== "(() => {" || lines.pop() !== "})();") {
    throw new BundleError(
      'Cannot part the bundle: expected "(() => {" and "})();" around it, ' +
        "as deno bundle --format iife writes",
    );
  }
  const functions: Declared[] = [];
  const rest: string[] = [];
  let module = "";
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    module = /^ {2}\/\/ (.*\.ts)$/.exec(line)?.[1] ?? module;
    const head = /^ {2}(function\*?) (\w+)(\(.*)$/.exec(line);
    if (head === null) {
      rest.push(line);
      continue;
    }
    const [, keyword, name = "", tail] = head;
    const last = line.endsWith("}") ? at : lines.indexOf("  }", at);
    if (last < 0) throw new BundleError(`Cannot find the end of ${name}`);
    const body = [`${keyword}${tail}`, ...lines.slice(at + 1, last + 1)];
    functions.push({ name, text: body.join("\n"), module });
    at = last;
  }
  if (functions.length === 0) {
    throw new BundleError("Cannot part the bundle: it has no function");
  }
  return { functions, rest };
}

/**
 * Marks each function of a bundle as one that is compiled at once or later, before everything
 * else: a declared function, too, is there before the first statement runs.
 *
 * @param called names of the functions to be compiled at once
 * @throws {BundleError} as {@linkcode takeApart}
 */
export function marking(bundled: string, called: ReadonlySet<string>): string {
  const { functions, rest } = takeApart(bundled);
  const modules = [...new Set(functions.map(({ module }) => module))];
  const marked = functions.map(({ name, text, module }) => {
    if (called.has(name)) return `  var ${name} = ${atOnce}(${text});`;
    const at = modules.indexOf(module);
    return `  var ${name} = ${later}(${at}, () => (${text}), "${end}");`;
  });
  return ["(() => {", ...marked, ...rest, "})();", ""].join("\n");
}

/**
 * Puts what the marks mean in their place, once the marked bundle is minified.
 *
 * The functions of a module that are compiled later become one text, and each of them a
 * function that has it evaluated when it is called. It is evaluated where it stood, so it
 * means the same; in strict mode, where it declares nothing in the bundle's scope.
 *
 * @throws {BundleError} for a text in which the marks are not as they were
 */
export function unmarking(minified: string): string {
  const texts = new Map<string, string[]>();
  const mark = new RegExp(
    `${later}\\((\\d+),\\(\\)=>(.*?),"${end}"\\)`,
    "gs",
  );
  const rest = minified.replaceAll(mark, (_, module: string, text: string) => {
    const texts_ = texts.get(module) ?? [];
    texts.set(module, texts_);
    texts_.push(text);
    return `LATER(${[...texts.keys()].indexOf(module)},${texts_.length - 1})`;
  }).replaceAll(`${atOnce}(`, "(");
  const opening = "(()=>{(()=>{";
  if (!rest.startsWith(opening) || /__COMPILED_/.test(rest)) {
    throw new BundleError("Cannot part the bundle: its marks are lost");
  }
  const strings = [...texts.values()].map((module) =>
    JSON.stringify(`[${module.join(",")}]`)
  );
  // No minified name is as long as these.
  return `${opening}"use strict";var TEXTS=[${strings.join(",")}],` +
    `LATER=(MODULE,PLACE)=>function(){var FOUND=TEXTS[MODULE];` +
    `typeof FOUND=="string"&&(FOUND=TEXTS[MODULE]=eval(FOUND));` +
    `return FOUND[PLACE].apply(this,arguments)};${rest.slice(opening.length)}`;
}
