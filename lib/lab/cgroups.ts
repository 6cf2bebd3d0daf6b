/** Control groups: the whole machine has them in common, also those of a lab's containers. */
import type { Process } from "./processes.ts";

/**
 * The control groups that a container runtime on the lab's nodes made: those
 * of processes without the lab's marks, which no marked process shares.
 *
 * @returns folders
 */
export function cgroupsOf(processes: readonly Process[]): readonly string[] {
  const made = new Set<string>();
  const shared = new Set(cgroupFolders("self"));
  for (const process of processes) {
    const marked = process.holds !== undefined || process.entered !== undefined;
    for (const folder of cgroupFolders(process.pid)) {
      (marked ? shared : made).add(folder);
    }
  }
  return [...made].filter((folder) => !shared.has(folder));
}

/**
 * What the names of the control groups begin with that stage 02's containerd
 * makes, at the top level, for the containers of a lab or of one of its machines.
 */
export function controlGroupPrefix(lab: string, name?: string): string {
  return `deno-cni-${lab}-${name === undefined ? "" : `${name}-`}`;
}

/**
 * Control groups at the top level of every hierarchy.
 * A container that has ended leaves its own empty.
 */
export function namedCgroups(prefix: string): readonly string[] {
  const root = "/sys/fs/cgroup";
  return [root, ...foldersIn(root)].flatMap((hierarchy) =>
    foldersIn(hierarchy).filter((folder) =>
      folder.startsWith(`${hierarchy}/${prefix}`)
    )
  );
}

function foldersIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter((entry) => entry.isDirectory)
      .map(({ name }) => `${folder}/${name}`);
  } catch {
    return []; // No control groups here, or gone.
  }
}

/** Reads /proc/PID/cgroup (cgroups(7)): a line a hierarchy, `0::` for version 2. */
function cgroupFolders(process: number | "self"): string[] {
  const root = "/sys/fs/cgroup";
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${process}/cgroup`);
  } catch {
    return []; // It has ended.
  }
  return text.trim().split("\n").flatMap((line) => {
    const [, controllers, ...rest] = line.split(":");
    const path = rest.join(":");
    if (path === "/" || path === "" || path.includes("..")) return [];
    return controllers === ""
      ? [`${root}${path}`, `${root}/unified${path}`]
      : [`${root}/${controllers?.replace(/^name=/, "")}${path}`];
  });
}

/** Removes control groups and their parents, as far up as they are empty; systemd's own stay. */
export function removeCgroups(folders: readonly string[]): void {
  for (let folder of folders) {
    while (
      folder.split("/").length > 4 && !/\.(slice|scope|service)$/.test(folder)
    ) {
      try {
        Deno.removeSync(folder);
      } catch {
        break; // In use, or gone.
      }
      folder = folder.slice(0, folder.lastIndexOf("/"));
    }
  }
}
