/** Probes of files on a node: is it there, and is it as a step would leave it? */
import { type Command, succeeded } from "../exec/command.ts";
import { askPath, readFile, saysAbsent } from "../exec/shell_file.ts";
import type { Answer, PluginFile, Probe } from "../stage/stage.ts";
import { unknown } from "./probes.ts";

/**
 * Has the file this content, and this mode where one is named?
 *
 * @param ours tells a file of ours with other content, which may be written
 * anew, from one that is not ours
 * @param mode octal digits, as stat(1) prints them
 */
export function fileIs(
  path: string,
  content: string,
  ours: (text: string) => boolean,
  mode?: string,
): Probe {
  const ask = mode === undefined
    ? readFile(path)
    : askPath(path, 'stat -c %a "$1"; cat "$1"');
  const wanted = mode === undefined ? content : `${mode}\n${content}`;
  return whereThere(ask, `what ${path} holds`, (text) => {
    if (text === wanted) return { is: "present", ours: true };
    if (ours(text)) return { is: "absent", ours: true };
    return {
      is: "different",
      found: `${path} holds something that this tool did not write`,
      remedy: "move it away, and run this stage again",
    };
  });
}

/**
 * A question about something that may be absent.
 *
 * @param ask as askPath() makes it
 * @param what is asked, for the case that it cannot be told
 * @param read what was printed, where it is there
 */
export function whereThere(
  ask: Command,
  what: string,
  read: (text: string, input?: string) => Answer,
): Probe {
  return {
    ask,
    read(outcome, input) {
      if (saysAbsent(outcome)) return { is: "absent" };
      return succeeded(outcome)
        ? read(outcome.stdout, input)
        : unknown(outcome, what);
    },
  };
}

/**
 * Is the file on the node, whole and with these rights? Compared by digest,
 * where it has one, and by size.
 */
export function copied(file: PluginFile): Probe {
  const script = 'stat -Lc "%s %a" "$1"; [ -z "$2" ] || sha256sum "$1"';
  const { size_bytes, mode, sha256 = "" } = file;
  const ask = askPath(file.to, script, sha256);
  return whereThere(ask, `what ${file.to} is`, (text) => {
    const [facts, digest = ""] = text.split("\n");
    const same = facts === `${size_bytes} ${mode}` &&
      (sha256 === "" || digest.startsWith(`${sha256} `));
    return { is: same ? "present" : "absent", ours: true };
  });
}
