/** The plugin's daemon, as a node's inventory tells of it. */
import type { Cluster } from "../cluster/cluster.ts";

/** What there is of it on a node. */
export interface HostDaemon {
  /** The version of the plugin that is installed, where it is one that knows daemons. */
  readonly installed?: string;
  /** Whether systemd runs there. */
  readonly systemd: boolean;
  /** The folder in which daemons and callers meet: its mode in octal, its owner's user ID. */
  readonly folder?: { readonly mode: string; readonly owner: number };
  /** Those that live. */
  readonly serving: readonly {
    readonly version: string;
    readonly pid: number;
  }[];
}

/** Reads the lines of inventory.sh; one that cannot be understood counts as absent. */
export function readDaemon(lines: readonly string[]): HostDaemon {
  const found = (pattern: RegExp) =>
    lines.flatMap((line) => {
      const match = pattern.exec(line);
      return match === null ? [] : [match];
    });
  const [installed] = found(/^installed (\w+)$/);
  const [folder] = found(/^folder ([0-7]+) (\d+)$/);
  return {
    ...(installed === undefined ? {} : { installed: installed[1] ?? "" }),
    systemd: lines.includes("systemd"),
    ...(folder === undefined ? {} : {
      folder: { mode: folder[1] ?? "", owner: Number(folder[2]) },
    }),
    serving: found(/^serves (\w+) (\d+)$/).map(([, version = "", pid]) => ({
      version,
      pid: Number(pid),
    })),
  };
}

/** Whether a node is to have one, once stage 05 has run. */
export function wantsDaemon(
  { provider, plugin }: Pick<Cluster, "provider" | "plugin">,
  { systemd }: HostDaemon,
): boolean {
  return plugin.daemon !== false &&
    (provider === "lab" ? plugin.daemon === true : systemd);
}
