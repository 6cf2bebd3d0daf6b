/**
 * What the ssh transport says to OpenSSH's client and to the node's shell, and
 * what it reads from their answer. Pure.
 */
import { type Command, type Outcome, quote, show } from "../exec/command.ts";

/** A machine that ssh reaches. */
export interface SshTarget {
  /** The node's name, for messages. */
  readonly name: string;
  /** An address, a host's name, or a `Host` of the user's ssh_config(5). */
  readonly host: string;
  /** Left out: what ssh_config(5) says, else the operator's own name. */
  readonly user?: string;
  readonly port?: number;
  readonly identityFile?: string;
  /**
   * A known_hosts file of this tool's own, for a machine that it has freshly
   * made: the key of the first contact is pinned there. Left out: the user's
   * known_hosts files, where the key has to be already.
   */
  readonly pinnedKeys?: string;
}

/** The arguments of ssh(1) that name a machine, as a person would type them. */
export function sshArgs(target: SshTarget): string[] {
  const { host, user, port, identityFile, pinnedKeys } = target;
  return [
    ...(port === undefined ? [] : ["-p", String(port)]),
    ...(identityFile === undefined
      ? []
      : ["-i", literal(identityFile), "-o", "IdentitiesOnly=yes"]),
    ...(pinnedKeys === undefined ? [] : [
      ...["-o", `UserKnownHostsFile="${literal(pinnedKeys)}"`],
      ...["-o", "StrictHostKeyChecking=accept-new"],
    ]),
    user === undefined ? host : `${user}@${host}`,
  ];
}

/** ssh(1) expands `%` in the names of files (ssh_config(5), TOKENS). */
function literal(path: string): string {
  return path.replaceAll("%", "%%");
}

/**
 * The arguments of ssh(1) for this tool's own use: never a question, one
 * connection for all commands, and an end to one that has died.
 *
 * @param socket where the connection's control socket is, or is to be
 */
export function toolArgs(target: SshTarget, socket: string): string[] {
  const options = [
    "BatchMode=yes",
    "ControlMaster=auto",
    `ControlPersist=${persist_s}`,
    "ConnectTimeout=10",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=3",
    "LogLevel=ERROR",
    // What a user's ssh_config(5) may ask for in a session of his own.
    "RemoteCommand=none",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "ForwardAgent=no",
    "ForwardX11=no",
  ];
  return [
    "-T",
    ...["-S", literal(socket)],
    ...options.flatMap((option) => ["-o", option]),
    ...sshArgs(target),
  ];
}

/** How long a connection that nobody uses stays open, in seconds. */
const persist_s = 60;

/** What sudo(8) is called as: it never asks. */
const sudo = "sudo -n";

/**
 * Goes before what has to run as root, in the words of a POSIX shell: the file
 * system's root belongs to root, so this asks for the user without a process.
 */
const outer = `script=$1; shift; ` +
  `[ -O / ] || exec ${sudo} sh -c "$script" "$0" "$@"; eval "$script"`;

/**
 * The line for the node's login shell that runs a script as root. Works in every
 * shell that takes single quotes as POSIX has them.
 *
 * @param words the script for a POSIX shell, and its arguments
 */
export function asRoot(words: readonly string[]): string {
  return `exec sh -c ${[outer, "deno-cni", ...words].map(quote).join(" ")}`;
}

/** For scripts: messages that can be read, and the folders of the system's programs. */
export const environment = `export LC_ALL=C PATH="/usr/local/sbin:` +
  `/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\${PATH:+:$PATH}"`;

/** For scripts, after \`(exec "$@")\`: sets code to its exit code, or to a word where it could not be executed. */
export const execute = `  code=$?
  case $code in
  127) command -v "$1" >/dev/null || code=absent ;;
  126)
    case $1 in
    */*) [ -f "$1" ] && [ -x "$1" ] || code=refused ;;
    esac
    ;;
  esac`;

/**
 * Runs on the node, as root: marks where the command's output begins on both
 * streams, whatever a login shell's profile has printed, runs the command and
 * tells its exit code; ssh's own is then about ssh alone.
 * Input is read to its end first, so that a connection that breaks cannot cut
 * off what the command would take for the whole.
 */
const inner = `
mark=$1 size=$2
shift 2
${environment}
if [ "$size" != - ]; then
  input=$(cat; echo .)
  [ "\${#input}" = "$((size + 1))" ] || exit 1
fi
echo "$mark" && echo "$mark" >&2 || exit 1
if [ "$size" != - ]; then
  printf %s "\${input%.}" | (exec "$@")
else
  (exec "$@")
fi
${execute}
printf '\\n%s %s\\n' "$mark" "$code" >&2
`;

/**
 * A command as the line for the node's login shell.
 *
 * @param mark a word that no output holds
 * @param streamed whether its input is a stream whose size nobody tells beforehand
 */
export function remoteLine(
  command: Command,
  mark: string,
  streamed = false,
): string {
  const size = streamed || command.stdin === undefined
    ? "-"
    : String(new TextEncoder().encode(command.stdin).length);
  return asRoot([inner, mark, size, ...command.argv]);
}

/**
 * The command that a person pastes: ssh, the machine, and the node's command in
 * one argument.
 *
 * @param asRoot whether ssh comes in as root; otherwise sudo goes before the command
 */
export function pasteable(
  target: SshTarget,
  command: Command,
  terminal = false,
): Command {
  const asRoot = target.user === "root";
  return {
    ...command,
    argv: [
      "ssh",
      ...(terminal ? ["-t"] : []),
      ...sshArgs(target),
      asRoot ? show(command) : `${sudo} ${show(command)}`,
    ],
  };
}

/** What is to be known from the output of an ssh that ran a command. */
export type SshReply =
  /** The command never began: what ssh, sudo or a login shell said. */
  | { readonly began: false; readonly said: string }
  /** It began; without an outcome its end is not known. */
  | {
    readonly began: true;
    readonly outcome?: Outcome;
    readonly stdout: string;
    readonly stderr: string;
  };

/** Reads what ssh gave back for a remoteLine() with this mark. */
export function readReply(
  { stdout, stderr }: Pick<Outcome, "stdout" | "stderr">,
  mark: string,
): SshReply {
  const begin = stderr.indexOf(`${mark}\n`);
  if (begin < 0) return { began: false, said: `${stderr}${stdout}`.trim() };
  const at = stdout.indexOf(`${mark}\n`);
  const out = at < 0 ? "" : stdout.slice(at + mark.length + 1);
  const rest = stderr.slice(begin + mark.length + 1);
  const end = new RegExp(`\\n${mark} (\\w+)\\n`).exec(rest);
  if (end === null) return { began: true, stdout: out, stderr: rest };
  // What a process in the background has said since is lost no more than here.
  const said = rest.slice(0, end.index) +
    rest.slice(end.index + end[0].length);
  const outcome = { stdout: out, stderr: said, ...endedBy(end[1] ?? "") };
  return { began: true, stdout: out, stderr: said, outcome };
}

/** A shell's word for a command that a signal has ended: 128 and the signal's number (ABRT, KILL, SEGV, TERM). */
const killed = [134, 137, 139, 143];

/** What a script says of a command's end: an exit code, or a word of its own. */
export function endedBy(word: string): Pick<Outcome, "code" | "ended"> {
  if (word === "absent") return { code: undefined, ended: "no such command" };
  if (word === "refused") return { code: undefined, ended: "not executable" };
  const code = Number(word);
  if (killed.includes(code)) return { code: undefined, ended: "killed" };
  return { code };
}

/**
 * Ends all that a process on the node has started, and is back when there is
 * none of it any more; exits 1 where some of it stays.
 *
 * @param pid a shell's shell, which stays itself; or a mark, which stands in the arguments of a
 * remoteLine()'s shell and goes with it
 */
export function endAll(
  what: { readonly pid: number } | { readonly mark: string },
): Command {
  const script = `root=$1
below() { # PID
  for child in $(pgrep -P "$1"); do
    echo "$child"
    below "$child"
  done
}
all() {
  case $root in
  *-*)
    for file in $(grep -lsF -e "$root$2" /proc/[0-9]*/cmdline); do
      pid=\${file%/cmdline}
      echo "\${pid#/proc/}"
      below "\${pid#/proc/}"
    done
    ;;
  *) below "$root" ;;
  esac
}
tries=0
while pids=$(all "$@"); [ -n "$pids" ]; do
  kill -s KILL $pids 2>/dev/null
  tries=$((tries + 1))
  [ "$tries" -lt 40 ] || exit 1
  [ "$tries" -lt 2 ] || sleep 0.05
done`;
  if ("pid" in what) {
    return { argv: ["sh", "-c", script, "end", String(what.pid)] };
  }
  const { mark } = what;
  const half = mark.length >> 1;
  // In two, or this would find itself.
  const parts = [mark.slice(0, half), mark.slice(half)];
  return { argv: ["sh", "-c", script, "end", ...parts] };
}
