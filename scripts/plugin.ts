#!/usr/bin/env -S deno run -A
/** Builds the plugin into dist/, in whichever form this machine can make: `make plugin`. */
import { printText } from "../lib/cli/print.ts";
import { buildPlugin } from "../lib/packaging/build.ts";
import { usualExits } from "../lib/cli/exit_code.ts";
import type { CommandLine } from "../lib/cli/flags.ts";
import { buildFlags, formOf } from "../lib/cli/standard_flags.ts";
import { runScript } from "../lib/cli/script.ts";
import { projectRoot } from "../lib/exec/project_root.ts";

const command = {
  name: "plugin",
  summary: "build the plugin into dist/",
  text: ["dist/deno-cni can be executed in place, whichever form it is."],
  flags: buildFlags,
  exits: {
    done: usualExits.done,
    failed: "it cannot be built",
    usage: "wrong flags",
  },
} satisfies CommandLine;

await runScript(command, async (flags) => {
  const form = formOf(flags);
  const { line } = await buildPlugin({
    root: projectRoot,
    ...(form === undefined ? {} : { form }),
  });
  printText(line);
  return 0;
});
