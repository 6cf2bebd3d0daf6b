/** A daemon whose named points are alive, and ways to look at a daemon from outside. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { bundleOf, commands } from "../../lib/packaging/bundle.ts";
import { launcher } from "../../lib/packaging/launcher.ts";
import {
  permissions,
  startPortable,
  startText,
} from "../../lib/packaging/portable.ts";
import {
  type DaemonStart,
  needsRoot,
  root,
  type TestNode,
  testNode,
} from "../sandbox_testing.ts";

/** The plugin with its named points alive, in a folder of its own; gives its launcher. */
export async function faultyBuild(folder: string): Promise<string> {
  const map = `${root}/plugin/linux/failpoint_testing.json`;
  const deno = Deno.execPath();
  for (
    const [entry, output] of [
      ...commands.map((command) => ["main.ts", bundleOf(command)]),
      ["daemon/main.ts", "deno-cni-daemon.js"],
    ]
  ) {
    const bundled = await run(
      cmd`${deno} bundle --quiet --platform deno --format iife --import-map ${map} --output ${folder}/${output!} ${root}/plugin/${entry!}`,
    );
    assertEquals(bundled.code, 0, bundled.stderr);
  }
  await Deno.symlink(deno, `${folder}/deno`);
  await Deno.writeTextFile(`${folder}/start.js`, startText);
  // What tests ask of the points comes in further variables.
  const start = startPortable(folder).replace(
    permissions[1]!,
    "--allow-env",
  );
  const executable = `${folder}/deno-cni`;
  await Deno.writeTextFile(executable, launcher("faulty", start));
  await Deno.chmod(executable, 0o755);
  return executable;
}

/** Waits until something is so. @throws {Error} when it is not within 20 s */
export async function until(
  what: string,
  holds: () => Promise<boolean> | boolean,
): Promise<void> {
  const end_ms = performance.now() + 20_000;
  while (!await holds()) {
    if (performance.now() > end_ms) throw new Error(`not within 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A test on a node with a daemon. */
export function onDaemonNode(
  name: string,
  body: (node: TestNode) => Promise<void>,
  start: DaemonStart = {},
): void {
  Deno.test({
    name: `${name} (needs root)`,
    ignore: needsRoot,
    fn: async () => {
      await using node = await testNode(undefined, "daemon", start);
      await body(node);
    },
  });
}
