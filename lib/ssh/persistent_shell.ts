/**
 * A shell: a shell that stays on a node and runs one command after another. To
 * start an ssh, and there a login shell, for each would take longer than most
 * commands do; and what goes by the shell is in nobody's process list.
 */
import { type Command, type Outcome, quote } from "../exec/command.ts";
import { asRoot, endedBy, environment, execute } from "./protocol.ts";

/** A shell that is open. */
export interface PersistentShell {
  /** Its shell's process on the node. */
  readonly pid: number;
  /** Runs a command; one at a time. */
  run(command: Command): Promise<ShellReply>;
  /** Ends this side of it; the shell over there ends when it notices. */
  close(): void;
}

/** What came of a command that went by a shell. */
type ShellReply =
  | { readonly is: "done"; readonly outcome: Outcome }
  /** The shell ended first; the command had begun, or not. */
  | {
    readonly is: "cut off";
    readonly began: boolean;
    readonly stdout: string;
    readonly stderr: string;
  };

/** A shell, or what was said instead, and ssh's exit code. */
type Opening =
  | { readonly is: "open"; readonly shell: PersistentShell }
  | {
    readonly is: "refused";
    readonly said: string;
    readonly code: number | undefined;
    readonly ended?: "no such command" | "not executable";
  };

/**
 * Reads requests, a line each, in the shell's own words; a line that is cut off
 * is none. Tells on both outputs where a command's begin and end.
 */
const loop = `mark=$1 nl='
'
${environment}
echo "$mark" && echo "$mark $$" >&2 || exit 1
while IFS= read -r request; do
  eval "set -- $request"
  mark=$1 input=$2
  shift 2
  echo "$mark" >&2
  case $input in
  +*) printf %s "\${input#+}" | (exec "$@") ;;
  *) (exec "$@") </dev/null ;;
  esac
${execute}
  printf '\\n%s\\n' "$mark"
  printf '\\n%s %s\\n' "$mark" "$code" >&2
done
`;

/** The line for the node's login shell that opens a shell. */
function shellLine(mark: string): string {
  return asRoot([loop, mark]);
}

/** The line that asks a shell for a command. */
function request(command: Command, mark: string): string {
  const { argv, stdin } = command;
  const words = [mark, stdin === undefined ? "-" : `+${stdin}`, ...argv];
  return words.map((word) => quote(word).replaceAll("\n", `'"$nl"'`))
    .join(" ") + "\n";
}

/**
 * Opens a shell.
 *
 * @param argv ssh with all its arguments but the last
 * @param giveUp ends the waiting
 */
export async function openPersistentShell(
  [program, ...args]: readonly [string, ...string[]],
  giveUp: AbortSignal,
): Promise<Opening> {
  const mark = crypto.randomUUID();
  const child = start(program, [...args, shellLine(mark)]);
  if (typeof child === "string") {
    return { is: "refused", said: "", code: undefined, ended: child };
  }
  const close = () => endChild(child);
  giveUp.addEventListener("abort", close, { once: true });
  const stdout = follow(child.stdout);
  const stderr = follow(child.stderr);
  const begun = await stderr.until(new RegExp(`${mark} (\\d+)\\n`));
  giveUp.removeEventListener("abort", close);
  if (begun === undefined) {
    const out = await stdout.rest();
    const { code, signal } = await child.status;
    return {
      is: "refused",
      said: `${await stderr.rest()}${out}`.trim(),
      code: signal === null ? code : undefined,
    };
  }
  // What a profile has printed.
  await stdout.until(new RegExp(`${mark}\\n`));
  const writer = child.stdin.getWriter();
  const shell: PersistentShell = {
    pid: Number(begun.found[1]),
    close,
    async run(command) {
      const mark = crypto.randomUUID();
      // Who has gone tells so by the end of his outputs.
      await writer.write(new TextEncoder().encode(request(command, mark)))
        .catch(() => {});
      const [out, err] = await Promise.all([
        stdout.until(new RegExp(`\\n${mark}\\n`)),
        (async () => {
          const begin = await stderr.until(new RegExp(`${mark}\\n`));
          if (begin === undefined) return { began: false };
          const end = await stderr.until(new RegExp(`\\n${mark} (\\w+)\\n`));
          return { began: true, end };
        })(),
      ]);
      if (out === undefined || err.end === undefined) {
        return {
          is: "cut off",
          began: err.began,
          stdout: out?.before ?? await stdout.rest(),
          stderr: await stderr.rest(),
        };
      }
      const ended = endedBy(err.end.found[1] ?? "");
      const outcome = {
        stdout: out.before,
        stderr: err.end.before,
        ...ended,
      };
      return { is: "done", outcome };
    },
  };
  return { is: "open", shell };
}

type Piped = Deno.ChildProcess;

/** Starts ssh in a process group of its own: Ctrl-C at the terminal is not for it. */
function start(
  program: string,
  args: string[],
): Piped | "no such command" | "not executable" {
  try {
    const child = new Deno.Command(program, {
      args,
      // What is read here must not be translated.
      env: { LC_ALL: "C" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: true,
    }).spawn();
    // An idle shell keeps no program from ending.
    child.unref();
    return child;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "no such command";
    if (error instanceof Deno.errors.PermissionDenied) return "not executable";
    throw error;
  }
}

function endChild(child: Piped): void {
  try {
    child.kill("SIGKILL");
  } catch (error) {
    // It has ended.
    if (
      !(error instanceof TypeError || error instanceof Deno.errors.NotFound)
    ) {
      throw error;
    }
  }
}

/** A stream of text that is read as far as somebody waits for something in it. */
interface Tape {
  /** What comes before a pattern, and the pattern; undefined when the stream ends without. */
  until(
    pattern: RegExp,
  ): Promise<
    { readonly before: string; readonly found: RegExpExecArray } | undefined
  >;
  /** What has come and was not asked for, to the stream's end. */
  rest(): Promise<string>;
}

function follow(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Tape {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  const more = async (): Promise<boolean> => {
    const { value, done } = await reader.read();
    text += value ?? "";
    return !done;
  };
  return {
    async until(pattern) {
      for (;;) {
        const found = pattern.exec(text);
        if (found !== null) {
          const before = text.slice(0, found.index);
          text = text.slice(found.index + found[0].length);
          return { before, found };
        }
        if (!await more()) return undefined;
      }
    },
    async rest() {
      while (await more());
      const all = text;
      text = "";
      return all;
    },
  };
}
