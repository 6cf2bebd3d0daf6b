#!/usr/bin/env -S deno run -A
/**
 * Stage 05: builds the CNI plugin and puts it on every node, where the
 * container runtime looks for it.
 * Afterwards `/opt/cni/bin/deno-cni` answers `CNI_COMMAND=VERSION`.
 */
import {
  buildPlugin,
  type Built,
  expectedPlugin,
} from "../lib/packaging/build.ts";
import { daemonSteps } from "../lib/packaging/daemon_steps.ts";
import { cmd, type Command } from "../lib/exec/command.ts";
import { removeLeases } from "../lib/cni/lease_store.ts";
import { main } from "../lib/cli/stage_script.ts";
import { copied } from "../lib/steps/file_probes.ts";
import type { PluginFile, Stage, Step } from "../lib/stage/stage.ts";
import { beforePluginGoes } from "../lib/kubernetes/undo_consent.ts";
import { projectRoot } from "../lib/exec/project_root.ts";

/** Above this size a file's digest would take longer than all else that the stage does. */
const digestLimit_bytes = 1 << 20;

async function pluginFiles({ files }: Built): Promise<PluginFile[]> {
  return await Promise.all(files.map(async ({ source, target, mode }) => {
    const { size, mode: bits } = await Deno.stat(source);
    const file = { copy: source, to: target, size_bytes: size };
    if (size <= digestLimit_bytes) {
      return { ...file, mode, sha256: await digest(source) };
    }
    // The lab links a large file instead of copying it, with the rights it has.
    const own = ((bits ?? 0o755) & 0o777).toString(8);
    return { ...file, mode: own };
  }));
}

async function digest(path: string): Promise<string> {
  const bytes = await Deno.readFile(path);
  const hash = await crypto.subtle.digest("SHA-256", bytes);
  return new Uint8Array(hash).toHex();
}

/** With the program go the leases that are left over, with the last file the two folders. */
function remove(path: string): Command {
  if (!path.startsWith("/opt/cni/bin/")) {
    const folders = '{ rmdir "${1%/*}" "${1%/*/*}" 2>/dev/null || :; }';
    const script = `rm -f "$1" "$1.new" && ${folders}`;
    return { ...cmd`sh -c ${script} remove ${path}`, label: `rm -f ${path}` };
  }
  const script = `rm -f "$1" "$1.new"\n${removeLeases()}`;
  return { ...cmd`sh -c ${script} remove ${path}`, label: `rm -f ${path}` };
}

export const plugin: Stage = {
  name: "05-plugin",
  summary: "build the plugin and install it on every node",
  afterwards: () => ({
    on: "node",
    run: cmd`env CNI_COMMAND=VERSION /opt/cni/bin/deno-cni`,
  }),
  beforeUndo: beforePluginGoes,
  build: {
    why: "One build serves all nodes; it is made anew when its sources change",
    byHand: cmd`make plugin`,
    async make(form) {
      const built = await buildPlugin({
        root: projectRoot,
        ...(form === undefined ? {} : { form }),
      });
      const { changed, line } = built;
      return { files: await pluginFiles(built), changed, line };
    },
    async peek() {
      const expected = await expectedPlugin({ root: projectRoot });
      try {
        return await pluginFiles(expected);
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
        return expected.files.map(({ source, target, mode }) => (
          { copy: source, to: target, mode, size_bytes: 0 }
        ));
      }
    },
  },
  steps: ({ cluster, pluginFiles }) => [
    ...(pluginFiles ?? []).map((file, _, all): Step => ({
      why: file.to.startsWith("/opt/cni/bin/")
        ? "The runtime executes what the configuration's `type` names, in this folder"
        : "What the plugin's launcher starts",
      doneWhen: copied(file, all),
      run: file,
      undo: remove(file.to),
      independent: true,
    })),
    // Last: it is restarted where the files of its version have come.
    ...daemonSteps(cluster),
  ],
};

if (import.meta.main) await main(plugin);
