// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { BuildError } from "../stage/errors.ts";
import {
  foldersRead,
  modulesOf,
  relocated,
  requiredFiles,
} from "./relocate.ts";

const bundled = `import { createRequire } from "node:module";
// ../../home/x/.cache/deno/npm/registry.example.org/zx/8.8.5/build/core.js
var { $ } = globalThis.require("./core.cjs");

// lib/exec/shell_file.ts
var put = new URL("put.sh", import.meta.url);

// lib/exec/project_root.ts
var root = import.meta.dirname?.replace(/\\/lib\\/exec$/, "");

// scripts/agent.ts
console.log(put, root);
`;

Deno.test("each module of a bundle finds its files under the bundle's folder as under the project's", () => {
  const text = relocated(modulesOf(bundled));
  assertStringIncludes(
    text,
    'new URL("put.sh", new URL("lib/exec/shell_file.ts", import.meta.url).href)',
  );
  assertStringIncludes(text, '(import.meta.dirname + "/lib/exec")?.replace');
  assertEquals(foldersRead(modulesOf(bundled)), ["lib/exec"]);
});

Deno.test("a bundle is the same wherever the machine keeps packages", () => {
  const elsewhere = bundled.replace("../../home/x/.cache/deno", "../cache");
  assertEquals(
    relocated(modulesOf(elsewhere)),
    relocated(modulesOf(bundled)),
  );
});

Deno.test("what a package loads by require() is found beside the module that loads it", () => {
  assertEquals(requiredFiles(modulesOf(bundled)), [
    "../../home/x/.cache/deno/npm/registry.example.org/zx/8.8.5/build/core.cjs",
  ]);
  assertEquals(
    requiredFiles([{
      source: "a/core.cjs",
      text: "require('./b.cjs'); require('node:fs'); require('./b.cjs')",
    }]),
    ["a/b.cjs"],
  );
});

Deno.test("a bundle of another form is refused, lest its files get lost unnoticed", () => {
  assertThrows(() => modulesOf("var a = 1;\n"), BuildError, "// <path>");
});
