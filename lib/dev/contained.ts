/**
 * A command with all that it starts in a process namespace (pid_namespaces(7)) and a
 * folder for temporary files of its own: however it ends, the kernel ends the rest, and
 * no file stays. Only root may have one.
 */
import type { Command } from "../exec/command.ts";

const prefix = "deno-cni-tests-";

/** A run that has just made its folder may not have its lock yet. */
const young_ms = 60_000;

/**
 * Runs a command so contained. A signal that ends this process interrupts the command
 * (SIGINT), a second one kills it.
 *
 * @returns its exit code
 */
export async function runContained(command: Command): Promise<number> {
  const folder = await Deno.makeTempDir({ prefix });
  // Held as long as this process lives: a folder without is left over.
  using lock = await Deno.open(folder);
  await lock.lock(true);
  await Deno.chmod(folder, 0o755); // Tests act as other users, too.
  await removeLeftOver(folder);
  try {
    const child = start(command, folder);
    let interrupted = false;
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => {
        if (interrupted) child.kill("SIGKILL");
        else Deno.kill(-child.pid, "SIGINT");
        interrupted = true;
      });
    }
    return (await child.status).code;
  } finally {
    await remove(folder);
  }
}

/** The first process of a namespace has to wait for orphans. */
const init = '"$@" & wait "$!"';

/**
 * Begins it in a session of its own, so that this process alone says when Ctrl-C at the
 * terminal ends it; killed with this process.
 */
function start({ argv }: Command, folder: string): Deno.ChildProcess {
  return new Deno.Command("setsid", {
    args: [
      ...["setpriv", "--pdeathsig", "KILL"],
      ...["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
      ...["sh", "-c", init, "init"],
      ...argv,
    ],
    env: { TMPDIR: folder },
    stdin: "null",
  }).spawn();
}

/** Removes the folders of runs that were killed, beside the given one. */
async function removeLeftOver(folder: string): Promise<void> {
  const parent = folder.slice(0, folder.lastIndexOf("/"));
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    const path = `${parent}/${name}`;
    if (!isDirectory || !name.startsWith(prefix) || path === folder) continue;
    const { mtime } = await Deno.stat(path);
    if (Date.now() - (mtime?.getTime() ?? 0) < young_ms) continue;
    using lock = await Deno.open(path);
    if (await lock.tryLock(true)) await remove(path);
  }
}

/** Removes a folder, in which a process that was just killed may have written a little more. */
async function remove(folder: string): Promise<void> {
  for (let tries = 1;; tries++) {
    try {
      return await Deno.remove(folder, { recursive: true });
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return;
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
