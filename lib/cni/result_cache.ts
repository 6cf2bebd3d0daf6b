/** Where a container runtime keeps the results of ADD (libcni, CacheDir). */
import { cmd, type Command } from "../exec/command.ts";
import { writeOutput } from "../exec/shell_file.ts";
import { ifname, type PodAttachment } from "./runtime.ts";

/**
 * The file in which a runtime keeps what ADD printed, for its own CHECK and DEL.
 */
export function cachePath(
  list: string,
  { containerId }: PodAttachment,
): string {
  return `/var/lib/cni/results/${list}-${containerId}-${ifname}`;
}

/**
 * Copies the result of a runtime's ADD out of its cache, where it is the last key of a line
 * of JSON.
 */
export function keepCached(
  list: string,
  attachment: PodAttachment,
  file: string,
): Command {
  const script = String.raw`s/.*"result":\({.*}\)}$/\1/`;
  const path = cachePath(list, attachment);
  return writeOutput(file, "644", cmd`sed ${script} ${path}`);
}
