/** The reference portmap of Debian's package, put where a kubelet's runtime looks for plugins. */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import { exitAbsent } from "../exec/shell_file.ts";
import { whereThere } from "../steps/file_probes.ts";
import type { Step } from "../stage/stage.ts";
import { portmapPath } from "./conflist.ts";

/** Where containernetworking-plugins has it. */
const debianPath = "/usr/lib/cni/portmap";

const question = `if [ "$(readlink "$2")" = "$1" ]; then echo linked
elif [ ! -x "$1" ] || [ -e "$2" ]; then echo unneeded
else ${exitAbsent}; fi`;

const link = '[ ! -x "$1" ] || [ -e "$2" ] || ' +
  '{ mkdir -p "${2%/*}" && ln -sfn "$1" "$2"; }';

/**
 * A link to Debian's portmap, on a node that has no other. A lab's node has none:
 * what is installed on the machine is no part of it.
 */
export function linkPortmap(
  { provider, plugin }: Pick<Cluster, "provider" | "plugin">,
): readonly Step[] {
  if (provider === "lab" || plugin.portmap === false) return [];
  return [{
    why: "Debian's package has the reference portmap in a folder of its own",
    doneWhen: whereThere(
      cmd`sh -c ${question} ask ${debianPath} ${portmapPath}`,
      `what ${portmapPath} is`,
      (text) => ({ is: text === "linked\n" ? "present" : "unneeded" }),
    ),
    run: cmd`sh -c ${link} link ${debianPath} ${portmapPath}`,
    undo: cmd`rm -f ${portmapPath}`,
  }];
}
