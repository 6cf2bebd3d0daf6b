// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { calledText } from "./bundle.ts";
import { BundleError, marking, unmarking } from "./parting.ts";
import { projectRoot } from "../exec/project_root.ts";

const bundled = `(() => {
  // plugin/config.ts
  var limit = half(4);
  function half(number) {
    return number / 2;
  }
  function* upTo({ last = limit } = {}) {
    for (let i = 0; i <= last; i++) {
      yield i;
    }
  }

  // plugin/gc.ts
  function rarely() {
    return [...upTo(), "\\"", \`\\n\`];
  }
  function never() {
    return rarely();
  }
  globalThis.answer = rarely();
})();
`;

/** What the minifier makes of a text, as far as it matters here. */
function minified(marked: string): string {
  return marked
    .replace("(() => {\n", "(()=>{(()=>{")
    .replace(/\}\)\(\);\n$/, "})();})();\n")
    .replaceAll(/, \(\) => \((function[^]*?)\), "(\w+)"\);/g, ',()=>$1,"$2");');
}

function evaluate(text: string): unknown {
  (0, eval)(text);
  const { answer } = globalThis as { answer?: unknown };
  delete (globalThis as { answer?: unknown }).answer;
  return answer;
}

const answer = [0, 1, 2, '"', "\n"];

Deno.test("a parted bundle does what the bundle does, whichever functions are compiled later", () => {
  assertEquals(evaluate(bundled), answer);
  const names = ["half", "upTo", "rarely", "never"];
  for (let which = 0; which < 1 << names.length; which++) {
    const called = new Set(names.filter((_, at) => (which >> at & 1) === 1));
    const parted = unmarking(minified(marking(bundled, called)));
    assertEquals(evaluate(parted), answer, [...called].join());
  }
});

Deno.test("of the functions that are not called, nothing is left but a text", () => {
  const parted = unmarking(
    minified(marking(bundled, new Set(["half", "upTo"]))),
  );
  assertStringIncludes(parted, "var half = (function(number) {");
  assertStringIncludes(parted, "var upTo = (function*({");
  assertStringIncludes(parted, "var rarely = LATER(0,0);");
  assertStringIncludes(parted, "var never = LATER(0,1);");
  assertStringIncludes(parted, '"[function() {\\n');
});

Deno.test("a bundle of another form is refused, not left as it is", () => {
  for (
    const text of [
      "var limit = 2;\n",
      "(() => {\n  // plugin/main.ts\n  var limit = 2;\n})();\n",
      "(()=>{function half(n){return n/2}})();\n",
    ]
  ) {
    assertThrows(() => marking(text, new Set()), BundleError);
  }
  const marked = minified(marking(bundled, new Set()));
  for (
    const other of [
      marked.slice(6),
      marked.replace("()=>function", "() => function"),
    ]
  ) {
    assertThrows(() => unmarking(other), BundleError);
  }
});

Deno.test("each name in the list of what is called is a function of the plugin", async () => {
  const declared = new Set<string>();
  const folders = [`${projectRoot}/plugin`];
  for (const folder of folders) {
    for await (const { name, isDirectory } of Deno.readDir(folder)) {
      if (isDirectory) folders.push(`${folder}/${name}`);
      if (!/(?<!_test|_testing)\.ts$/.test(name)) continue;
      const text = await Deno.readTextFile(`${folder}/${name}`);
      for (
        const [, found] of text.matchAll(/^(?:export )?function\*? (\w+)/gm)
      ) {
        declared.add(found!);
      }
    }
  }
  const called: Record<string, string[]> = JSON.parse(calledText);
  for (const [command, names] of Object.entries(called)) {
    // The bundler numbers functions of the same name.
    const gone = names.filter((name) =>
      !declared.has(name) && !declared.has(name.replace(/\d+$/, ""))
    );
    assertEquals(gone, [], command);
  }
});
