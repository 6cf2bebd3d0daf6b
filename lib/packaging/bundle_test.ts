// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BundleError, marking } from "./bundle.ts";

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
    return [...upTo()];
  }
  globalThis.answer = rarely();
})();
`;

function evaluate(text: string): unknown {
  (0, eval)(text.replaceAll("__COMPILED_AT_ONCE__", ""));
  const { answer } = globalThis as { answer?: unknown };
  delete (globalThis as { answer?: unknown }).answer;
  return answer;
}

Deno.test("a marked bundle does what the bundle does, also where it calls a function before its declaration", () => {
  assertEquals(evaluate(bundled), [0, 1, 2]);
  assertEquals(evaluate(marking(bundled)), [0, 1, 2]);
});

Deno.test("functions of quick modules are marked, those of rare ones are not", () => {
  const marked = marking(bundled);
  assertStringIncludes(
    marked,
    "var half = __COMPILED_AT_ONCE__(function(number) {",
  );
  assertStringIncludes(marked, "var upTo = __COMPILED_AT_ONCE__(function*({");
  assertStringIncludes(marked, "\n  function rarely() {");
});

Deno.test("a bundle of another form is refused, not left unmarked", () => {
  for (
    const text of [
      "var limit = 2;\n",
      "(() => {\n  // plugin/main.ts\n  var limit = 2;\n})();\n",
      "(()=>{function half(n){return n/2}})();\n",
    ]
  ) {
    assertThrows(() => marking(text), BundleError);
  }
});
