/**
 * Why a node could not be reached over ssh, in a line, and what to do:
 * read from what ssh, sudo and sshd say.
 * Pure.
 */
import { quote } from "../exec/command.ts";
import { sshArgs, type SshTarget } from "./protocol.ts";

/** A pattern of what is said, and the sentence that it stands for. */
type Reading = readonly [
  RegExp,
  (found: RegExpExecArray, target: SshTarget) => string,
];

const readings: readonly Reading[] = [
  // The operator's side.
  [
    /.*Bad (?:owner or permissions on|configuration option).*/,
    ([said]) => `your ssh configuration is refused: ${said}`,
  ],
  [
    /(?:unix_listener|ControlPath)[^\n]*too long[^\n]*/i,
    ([said]) =>
      `${said}: name a shorter folder by XDG_RUNTIME_DIR or DENO_CNI_STATE`,
  ],
  // The way there.
  [
    /Could not resolve hostname (\S+): ([^\n]*)/,
    ([, host, why]) =>
      `the name ${host} cannot be resolved (${why?.trim()}): correct ssh.host in the ` +
      `cluster file, or give an address`,
  ],
  [
    /No route to host|Network is unreachable/,
    ([said], target) =>
      `no way to ${
        where(target)
      } (${said.toLowerCase()}): is it switched on, and its address right?`,
  ],
  [
    /Connection refused/,
    (_, target) =>
      `${
        where(target)
      } refuses connections: the machine is up, but no sshd listens on this port, or a ` +
      `firewall rejects it`,
  ],
  [
    /timed out during banner exchange/,
    (_, target) =>
      `${
        where(target)
      } takes connections but says nothing: is it an sshd, and not overloaded?`,
  ],
  [
    /(?:Connection|Operation) timed out/,
    (_, target) =>
      `${
        where(target)
      } does not answer: is it switched on, its address right, and no firewall between?`,
  ],
  // The machine that answers.
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED[^]*?Offending \S+ key in (.*):(\d+)/,
    ([, file, line], target) =>
      `its host key is not the known one (${file}, line ${line}): either the machine ` +
      `was made anew, or another one answers at its address. ` +
      `Only if you know which, forget the old key: ssh-keygen -f ${
        quote(file ?? "")
      } -R ${quote(knownAs(target))}`,
  ],
  [
    /REMOTE HOST IDENTIFICATION HAS CHANGED|Host key for \S+ has changed/,
    (_, target) =>
      `its host key is not the known one: either the machine was made anew, or another ` +
      `one answers at its address. ` +
      `Only if you know which, forget the old key: ssh-keygen -R ${
        quote(knownAs(target))
      }`,
  ],
  [
    /REVOKED HOST KEY/,
    () =>
      "its host key is marked as revoked in your known_hosts: do not use this machine " +
      "before you know why",
  ],
  [
    /Host key verification failed/,
    (_, target) =>
      `its host key is unknown, and this tool takes no stranger's: connect once ` +
      `yourself and compare the fingerprint: ${byHand(target)}`,
  ],
  [
    /no matching (.*?) found\. Their offer: ([^\n]*)/,
    ([, what, offer]) =>
      `your ssh and its sshd have no ${what} in common (it offers ${offer}): one of the ` +
      `two is too old`,
  ],
  // The user, as the machine knows them.
  [
    /Identity file (.*?) not accessible: ([^\n.]*)/,
    ([, file, why]) =>
      `the key ${file} cannot be read (${why}): correct ssh.identityFile in the cluster file`,
  ],
  [
    /UNPROTECTED PRIVATE KEY FILE[^]*?Permissions (\d+) for '(.*)' are too open/,
    ([, mode, file]) =>
      `ssh refuses the key ${file}, which others may read (mode ${mode}): chmod 600 ${
        quote(file ?? "")
      }`,
  ],
  [
    /Too many authentication failures/,
    () =>
      "it closed the connection after too many keys of your agent: name the right one " +
      "by ssh.identityFile in the cluster file",
  ],
  [
    /Permission denied \(([^)]*)\)/,
    ([, ways = ""], target) => {
      const user = target.user === undefined ? "" : ` for ${target.user}`;
      const wanted = /password|keyboard-interactive/.test(ways)
        ? `it wants a password${user}, which this tool never types, and takes none of your keys`
        : `it takes none of your keys${user}`;
      const key = target.identityFile === undefined
        ? ""
        : ` -i ${quote(target.identityFile)}`;
      return `${wanted} (allowed there: ${ways}): if the key has a passphrase, ssh-add ` +
        `it; if it is not there yet, ` +
        `ssh-copy-id${key} ${
          to(target)
        }; or correct ssh.user, ssh.identityFile`;
    },
  ],
  // What one may.
  [
    /sudo: (?:a password is required|a terminal is required|.*askpass)|must have a tty to run sudo/,
    (_, target) =>
      `sudo wants a password${
        target.user === undefined ? "" : ` of ${target.user}`
      }, which this tool never types: allow it without one ` +
      `(a file in /etc/sudoers.d: "${
        target.user ?? "USER"
      } ALL=(ALL) NOPASSWD: ALL"), or give ssh.user: root`,
  ],
  [
    /(\S+) is not (?:in the sudoers file|allowed to (?:run sudo|execute))/,
    ([, user]) =>
      `${user} may not use sudo there: allow it (a file in /etc/sudoers.d: "${user} ` +
      `ALL=(ALL) NOPASSWD: ALL"), or give ssh.user: root`,
  ],
  [
    /sudo: (?:command )?not found/,
    () =>
      "it has no sudo, and ssh does not come in as root: install sudo, or give ssh.user: root",
  ],
  [
    new RegExp(
      "account is currently not available|account has expired|account is locked|" +
        "password change required|password has expired",
      "i",
    ),
    ([said]) => `its login refuses (${said}): give another ssh.user`,
  ],
  // What broke off.
  [
    /Connection reset by|closed by|kex_exchange_identification|Broken pipe|client_loop/,
    (_, target) =>
      `${
        where(target)
      } closed the connection: it may be starting, shutting down or refusing too many ` +
      `at once; see its sshd's log, and run this again`,
  ],
];

/**
 * Why nothing could be run on a machine.
 *
 * @param said the error output of ssh (LogLevel ERROR, LC_ALL C), with what sudo and the login
 * shell said
 * @param code ssh's exit code, 255 for an error of its own (ssh(1), EXIT STATUS)
 */
export function whyUnreachable(
  said: string,
  code: number | undefined,
  target: SshTarget,
): string {
  const lines = said.replaceAll("\r\n", "\n");
  for (const [pattern, sentence] of readings) {
    const found = pattern.exec(lines);
    if (found !== null) return sentence(found, target);
  }
  const last = lines.trim().split("\n").slice(-3).join(" / ").slice(-300);
  const what = last === "" ? "and says nothing" : `and says: ${last}`;
  return code === 255
    ? `ssh to ${where(target)} fails ${what}: try it yourself: ${
      byHand(target)
    }`
    : `the login shell at ${
      where(target)
    } runs nothing for this tool ${what}: it wants a POSIX shell (exit code ${code})`;
}

/** Whether a connection that was left open from before is to blame, so that a new one may do. */
export function isStale(said: string): boolean {
  return /mux_client|[Cc]ontrol ?(?:[Ss]ocket|master)|Shared connection/.test(
    said,
  );
}

/** The machine as ssh is given it. */
function to({ user, host }: SshTarget): string {
  return user === undefined ? host : `${user}@${host}`;
}

function where({ host, port }: SshTarget): string {
  return port === undefined ? host : `${host} port ${port}`;
}

function byHand(target: SshTarget): string {
  return ["ssh", ...sshArgs(target).map(quote)].join(" ");
}

/** What known_hosts calls a machine (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT). */
function knownAs({ host, port }: SshTarget): string {
  return port === undefined || port === 22 ? host : `[${host}]:${port}`;
}
