/** A real systemd on a node of a lab, in namespaces of its own, for tests of units. */
import { cmd, succeeded } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import type { Node } from "./node.ts";

const systemd = "/lib/systemd/systemd";

/** Runs a test that needs a real systemd; skipped by a name that tells what it lacks. */
export function systemdTest(name: string, fn: () => Promise<void>): void {
  const lacks = Deno.uid() !== 0 ? "root" : existing(systemd) ? "" : "systemd";
  const ignore = lacks !== "";
  Deno.test({ name: ignore ? `${name} (needs ${lacks})` : name, ignore, fn });
}

function existing(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A node where systemd runs. */
export interface SystemdNode extends AsyncDisposable {
  /** Its commands run beside systemd, as those of a login do. */
  readonly node: Node;
}

/**
 * What it knows besides the units of /etc/systemd/system: targets alone. None of
 * the machine's own services may run: some of them clear up its /tmp.
 */
const targets = [
  "sysinit",
  "basic",
  "multi-user",
  "shutdown",
  "network",
  "network-online",
];

/** Readies what systemd is to find, and becomes it. */
const boot = `
for folder in system system-generators; do
  mount -t tmpfs none /usr/lib/systemd/$folder
done
for target in ${targets.join(" ")}; do
  printf '[Unit]\\nDescription=%s\\n' $target >/usr/lib/systemd/system/$target.target
done
# As the first process it would raise the machine's own limits.
for part in fs kernel; do
  mount --bind /proc/sys/$part /proc/sys/$part
  mount -o remount,bind,ro /proc/sys/$part
done
mount -t tmpfs none /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup
: >/run/systemd.log
mount --bind /run/systemd.log /dev/console
container=lab exec ${systemd} --system --unit=multi-user.target --log-target=console
`;

/** Goes into a control group of its own, which is the root of systemd's tree. */
const start = `group=$1
mkdir "$group"
echo 0 >"$group/cgroup.procs"
set -- unshare --pid --mount --cgroup --fork --mount-proc --kill-child sh -euc "$2"
setsid "$@" </dev/null >/run/systemd.start 2>&1 &
unshare=$! first=
booted() { # A unit that failed makes it degraded.
  [ -n "$first" ] || return 1
  case $(nsenter -t "$first" --pid --mount systemctl is-system-running) in
  running | degraded) ;;
  *) return 1 ;;
  esac
}
until booted; do
  kill -0 $unshare || { cat /run/systemd.start /run/systemd.log >&2; exit 1; }
  sleep 0.02
  read -r first </proc/$unshare/task/$unshare/children || :
done 2>/dev/null
echo $first`;

/** Starts systemd on a node; it ends with what is given, or with the node. */
export async function startSystemd(node: Node): Promise<SystemdNode> {
  const mounts = await Deno.readTextFile("/proc/mounts");
  const [, hierarchy] = /^\S+ (\S+) cgroup2 /m.exec(mounts) ?? [];
  if (hierarchy === undefined) throw new Error("no cgroup2 is mounted here");
  const group = `${hierarchy}/deno-cni-test-${crypto.randomUUID()}`;
  const outcome = await node.run(cmd`sh -euc ${start} start ${group} ${boot}`);
  const clear = `until [ -z "$(cat "$1/cgroup.procs")" ]; do sleep 0.02; done
    find "$1" -depth -type d -exec rmdir {} +`;
  const end = () => run(cmd`sh -euc ${clear} clear ${group}`);
  if (!succeeded(outcome)) {
    await end();
    throw new Error(`systemd does not start: ${outcome.stderr}`);
  }
  const pid = outcome.stdout.trim();
  const enter = `nsenter -t ${pid} --pid --mount --`.split(" ");
  return {
    node: {
      ...node,
      run: (command, options) =>
        node.run({
          ...command,
          argv: ["env", ...enter, ...command.argv],
        }, options),
    },
    async [Symbol.asyncDispose]() {
      try {
        Deno.kill(Number(pid), "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
      const clear =
        `until [ -z "$(cat "$1/cgroup.procs")" ]; do sleep 0.02; done
        find "$1" -depth -type d -exec rmdir {} +`;
      await run(cmd`sh -euc ${clear} clear ${group}`);
    },
  };
}
