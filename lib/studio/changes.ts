/**
 * Tells that something may have changed, without asking time and again: what a
 * node's kernel announces (ip-monitor(8): links, addresses, routes, rules and
 * forwarding, also of its pods; `nft monitor`: rules), what is written into the
 * cluster's state folder by every run of a stage, and the cluster's file.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { reachOf } from "../cli/connect.ts";
import { cmd } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";

/** Listens to a cluster. */
export interface Changes {
  /** Listens at these nodes from now on, as far as it does not yet. */
  readonly attend: (cluster: Cluster, nodes: readonly string[]) => void;
  /** Ends all listening, until attend() is called again. */
  readonly rest: () => void;
}

const program = shellProgram("listen.sh", import.meta.url);

/** @param tell called at each sign of a change; there may be many of one change */
export function openChanges(tell: () => void): Changes {
  const listeners = new Map<string, Deno.ChildProcess>();
  let files: Deno.FsWatcher | undefined;
  let isWatching = false;
  const listen = async (cluster: Cluster, name: string) => {
    const [program_, ...args] =
      reachOf(cluster).nodeOf(name).enter(cmd`sh -c ${program}`).argv;
    const child = new Deno.Command(program_, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    listeners.set(name, child);
    for await (const _ of child.stdout) tell();
    // The node has ended, or cannot be entered: that is a change, too.
    await child.status;
    if (listeners.get(name) === child) {
      listeners.delete(name);
      tell();
    }
  };
  const watchFiles = async ({ stateDir, file }: Cluster) => {
    await Deno.mkdir(stateDir, { recursive: true });
    // Its folder: an editor puts another file in the place of the one there.
    const [, folder = ".", name = file] = /^(.*)\/([^/]*)$/.exec(file) ?? [];
    const own = `${await Deno.realPath(folder)}/${name}`;
    files = Deno.watchFs([stateDir, own.slice(0, -name.length - 1)], {
      recursive: false,
    });
    for await (const { kind, paths } of files) {
      const isOurs = paths.some((path) =>
        path === own || path.startsWith(stateDir)
      );
      if (isOurs && kind !== "access") tell();
      // A folder that is made anew is another one.
      if (kind === "remove" && paths.includes(stateDir)) break;
    }
    isWatching = false;
  };
  return {
    attend(cluster, nodes) {
      if (!isWatching) {
        isWatching = true;
        watchFiles(cluster);
      }
      for (const name of nodes) {
        if (!listeners.has(name)) listen(cluster, name);
      }
    },
    rest() {
      files?.close();
      for (const child of listeners.values()) child.stdin.close();
      listeners.clear();
    },
  };
}
