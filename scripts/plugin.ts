#!/usr/bin/env -S deno run -A
/** Builds the plugin into dist/, in whichever form this machine can make: `make plugin`. */
import { buildPlugin } from "../lib/packaging/build.ts";
import { runScript } from "../lib/cli/script.ts";
import { projectRoot } from "../lib/exec/project_root.ts";

const help = `scripts/plugin.ts: build the plugin into dist/

Usage: scripts/plugin.ts [--portable | --compiled]
       make plugin [ARGS="flags"]

  --portable  build the portable form: Deno, one bundled file, a launcher
  --compiled  build the compiled form, or fail; asks again for its base binary

dist/deno-cni can be executed in place, whichever form it is.`;

await runScript(help, async ({ form }) => {
  const { line } = await buildPlugin({
    root: projectRoot,
    ...(form === undefined ? {} : { form }),
  });
  console.log(line);
  return 0;
});
