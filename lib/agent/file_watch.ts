/**
 * Files and settings of the pod network that go or change without a word of the
 * kernel's. They are looked at every second or two, without a process: inotify tells
 * nothing of /proc/sys, loses a folder that is made anew, and is limited a machine.
 */
import { pause } from "../apiserver/back_off.ts";
import { conflistPath } from "../cni/conflist.ts";
import type { PluginFile, StageName } from "../stage/stage.ts";
import { bootPath, stagePath, unitPath } from "../steps/boot_restore.ts";
import {
  bridgedFramesSettings,
  forwardingSwitches,
} from "../steps/forwarding_switch.ts";

/** Between looks. */
const interval_ms = 1500;

/** What is looked at. */
interface Watching {
  /** The folder in which the machine's root is seen; undefined while it is not. */
  readonly root: () => string | undefined;
  /** Absolute, on the machine. */
  readonly paths: readonly string[];
  readonly tell: (what: string) => void;
  readonly signal: AbortSignal;
  readonly interval_ms?: number;
}

/** The files that stages 03 to 08 of these names leave on a machine, and its settings. */
export function watchedPaths(
  stages: readonly StageName[],
  pluginFiles: readonly PluginFile[],
): string[] {
  const settings = [forwardingSwitches, bridgedFramesSettings].flatMap(
    (byFamily) => Object.values(byFamily),
  );
  return [
    conflistPath,
    ...pluginFiles.map(({ to }) => to),
    ...[bootPath, unitPath, ...stages.map(stagePath)],
    ...settings.map((name) => `/proc/sys/${name.replaceAll(".", "/")}`),
  ];
}

/** Looks until the signal fires, and tells what is otherwise than at the look before. */
export async function watchFiles(watching: Watching): Promise<void> {
  const { root, paths, tell, signal } = watching;
  let before: ReadonlyMap<string, string> | undefined;
  while (!signal.aborted) {
    const folder = root();
    if (folder !== undefined) {
      const now = look(folder, paths);
      const changed = paths.filter((path) =>
        before !== undefined && before.get(path) !== now.get(path)
      );
      const [first, ...more] = changed;
      if (first !== undefined) {
        tell(
          `${first}${
            more.length > 0 ? ` and ${more.length} more` : ""
          } changed`,
        );
      }
      before = now;
    }
    await pause(watching.interval_ms ?? interval_ms, signal);
  }
}

/** At once: a thread for each of so many small questions would cost megabytes. */
function look(
  folder: string,
  paths: readonly string[],
): ReadonlyMap<string, string> {
  return new Map(paths.map((path) => [path, sign(`${folder}${path}`)]));
}

/** What differs whenever the file does; "" where it cannot be seen. */
function sign(path: string): string {
  try {
    // A setting has neither size nor time.
    if (path.includes("/proc/sys/")) return Deno.readTextFileSync(path);
    const { dev, ino, size, mode, mtime } = Deno.lstatSync(path);
    return [dev, ino, size, mode, mtime?.getTime()].join(" ");
  } catch (error) {
    if (error instanceof Error) return "";
    throw error;
  }
}
