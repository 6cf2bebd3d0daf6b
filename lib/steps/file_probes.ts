/** Probes of files on a node: is it there, and is it as a step would leave it? */
import { oncePer } from "../cluster/once.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
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

// PLAIN FILE…: of those that are there size and rights, and a digest of all but the
// first PLAIN of them.
const factsScript = `plain=$1 skip=0 at=0; shift
for path; do
  shift; at=$((at + 1)); [ -e "$path" ] || continue
  set -- "$@" "$path"; [ $at -gt $plain ] || skip=$((skip + 1))
done
[ $# = 0 ] || stat -Lc "%s %a %n" "$@" || exit
shift $skip; [ $# = 0 ] || sha256sum "$@"`;

/** The same question for all of these, so that a node is asked once. */
const factsOf = oncePer((files: readonly PluginFile[]): Command => {
  const { plain = [], digested = [] } = Object.groupBy(
    files,
    ({ sha256 }) => sha256 === undefined ? "plain" : "digested",
  );
  const paths = [...plain, ...digested].map(({ to }) => to);
  return cmd`sh -c ${factsScript} ask ${plain.length} ${paths}`;
});

/**
 * Is the file on the node, whole and with these rights? Compared by digest,
 * where it has one, and by size.
 *
 * @param files all that come with it, which are asked about at one time
 */
export function copied(
  file: PluginFile,
  files: readonly PluginFile[],
): Probe {
  const { to, size_bytes, mode, sha256 } = file;
  return {
    ask: factsOf(files),
    read(outcome) {
      if (!succeeded(outcome)) return unknown(outcome, `what ${to} is`);
      const lines = outcome.stdout.split("\n");
      if (!lines.some((line) => line.endsWith(` ${to}`))) {
        return { is: "absent" };
      }
      const same = lines.includes(`${size_bytes} ${mode} ${to}`) &&
        (sha256 === undefined || lines.includes(`${sha256}  ${to}`));
      return { is: same ? "present" : "absent", ours: true };
    },
  };
}
