/**
 * What ends a daemon that is stuck. A launcher waits in its shell's `read`,
 * which knows no time limit everywhere; when the daemon ends, it reads the end
 * of its pipe. So a shell of the daemon's own looks after it: every launcher
 * writes a line to it, the first of them has it wait a while, and when
 * launchers are waiting then, it asks the daemon for a sign of life. Without
 * calls it does nothing, and no time passes for it.
 */

/**
 * Its script. `$PPID` is the daemon, for the shell ends with it: the daemon
 * alone keeps the pipe open. Opened by `<>`, a pipe never makes a writer wait.
 */
const script = `
folder=$1 call=$2 period=$3 state=idle
wait_a_while() { { sleep "$period"; echo time 1<>"$folder/watch"; } >/dev/null 2>&1 & }
while read -r word; do
  case $word-$state in
    -idle) state=counting; wait_a_while ;;
    alive-*) state=counting ;;
    time-asked)
      # The number may be another process's by now; the pipe cannot.
      [ "/proc/$PPID/fd/$call" -ef "$folder/call" ] && kill -9 "$PPID"
      exit ;;
    time-*)
      state=idle
      for claim in "$folder"/slot/*; do [ ! -e "$claim" ] || state=asked; done
      [ $state = idle ] || { echo alive 1<>"$folder/call"; wait_a_while; } ;;
  esac
done
`;

/** Starts it; it ends with this process. */
export function startWatchdog(
  folder: string,
  call: number,
  period_s: number,
): void {
  const text = `exec <"$1/watch"\n${script}`;
  new Deno.Command("/bin/sh", {
    args: ["-c", text, "deno-cni-watchdog", folder, `${call}`, `${period_s}`],
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    clearEnv: true,
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn().unref();
}
