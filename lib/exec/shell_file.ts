/** Files, as a shell of this machine or a node's reads and writes them: whole, or not at all. */
import {
  cmd,
  type Command,
  type Outcome,
  quote,
  withInput,
} from "./command.ts";

/** An exit code that no tool has a meaning for. */
const absentCode = 44;

/** For a POSIX shell: ends it where what it is asked for is absent. */
export const exitAbsent = `exit ${absentCode}`;

/** Whether what was asked for is absent: a shell came to exitAbsent. */
export function saysAbsent({ code }: Outcome): boolean {
  return code === absentCode;
}

/**
 * Asks a POSIX shell about what is at a path; where there is nothing,
 * saysAbsent() holds of its outcome.
 *
 * @param script has the path as $1, and the further arguments from $2 on
 */
export function askPath(
  path: string,
  script: string,
  ...more: readonly string[]
): Command {
  const ask = `[ -e "$1" ] || ${exitAbsent}; ${script}`;
  return cmd`sh -c ${ask} ask ${path} ${more}`;
}

/** Asks for a file's text. */
export function readFile(path: string): Command {
  return askPath(path, 'cat "$1"');
}

/** Removes a file, and its folder where nothing else is in it. */
export function removeFile(path: string): Command {
  const script = 'rm -f "$1" "$1.new" && { rmdir "${1%/*}" 2>/dev/null || :; }';
  return { ...cmd`sh -c ${script} remove ${path}`, label: `rm -f ${path}` };
}

/** For a POSIX shell: the function put, in a line and without its comment, for dry runs show it. */
export const put = Deno.readTextFileSync(new URL("put.sh", import.meta.url))
  .replaceAll(/^#.*\n/gm, "")
  .replaceAll(/(\{|&&)\n\s*/g, "$1 ")
  .replaceAll(/\n\s*/g, "; ");

/**
 * Makes a file of what a command prints, in one step that a reader never sees
 * half done. Where the command fails, the file stays as it was.
 *
 * @param mode octal digits, as chmod(1) takes them
 */
export function writeOutput(
  path: string,
  mode: string,
  { argv, stdin }: Command,
): Command {
  const script = `${put}put "$@"`;
  const command = cmd`sh -c ${script} put ${path} ${mode} ${argv}`;
  return stdin === undefined ? command : withInput(command, stdin);
}

/**
 * Writes a file in one step that a reader never sees half done. A sender that
 * is killed ends the input early: text that is cut short is refused.
 *
 * @param mode octal digits, as chmod(1) takes them
 */
export function write(path: string, content: string, mode = "644"): Command {
  // In a line, since a dry run shows it.
  const script = 'mkdir -p "${1%/*}" && cat >"$1.new" && ' +
    'if [ "$(wc -c <"$1.new")" -lt "$3" ]; then ' +
    'rm "$1.new"; echo "the text was cut short" >&2; exit 1; fi && ' +
    'chmod "$2" "$1.new" && mv -f "$1.new" "$1"';
  const size_bytes = new TextEncoder().encode(content).length;
  const command = cmd`sh -c ${script} write ${path} ${mode} ${size_bytes}`;
  return {
    ...withInput(command, content),
    label: `write ${path}`,
    writes: path,
  };
}

/**
 * Writes a file (mode 644) as write() does, by two processes instead of six: for
 * one that is written many times in a run, and not shown. The text is part of a
 * script that a shell begins only when it has read all of it.
 */
export function save(path: string, content: string): Command {
  const file = quote(path);
  const made = quote(`${path}.new`);
  const folder = quote(path.replace(/\/[^/]*$/, ""));
  const stdin = `{ [ -d ${folder} ] || mkdir -p ${folder} || exit\n` +
    `umask 022; printf %s ${quote(content)} >${made} && ` +
    `mv -f ${made} ${file} || exit\n}\n`;
  return { ...cmd`sh`, stdin, label: `write ${path}`, writes: path };
}
