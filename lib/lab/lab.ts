/**
 * The end of a lab, or of one of its machines: every process that belongs to
 * it is ended by its id. With the last one the kernel takes the namespaces,
 * links and mounts.
 */
import type { Cluster } from "../cluster/cluster.ts";
import {
  cgroupsOf,
  controlGroupPrefix,
  namedCgroups,
  removeCgroups,
} from "./cgroups.ts";
import { labId } from "./names.ts";
import {
  hasEnded,
  isAlive,
  membersOf,
  type Process,
  takeSnapshot,
} from "./processes.ts";

/** A lab, or a part of it, that cannot be removed. */
export class LabError extends Error {
  override readonly name = "LabError";
}

/**
 * Ends a lab's machines with all that runs on them. Nothing to end is no error.
 *
 * @param lab as labId() gives it
 * @param name the machine; without one, all of them
 * @returns how many processes were ended
 * @throws {LabError} when processes belong to another user, do not end within
 * two seconds, or this very process is one of them
 */
export async function endMachines(lab: string, name?: string): Promise<number> {
  let ended = 0;
  // A second round sees what the last one's parents left as orphans.
  for (;;) {
    const members = holdStill(lab, name);
    if (members.length === 0) {
      removeCgroups(namedCgroups(controlGroupPrefix(lab, name)));
      return ended;
    }
    const cgroups = cgroupsOf(members);
    for (const process of members) send(process, "SIGKILL");
    await gone(members);
    removeCgroups(cgroups);
    ended += members.length;
  }
}

/** Stops all that belongs to the lab, so that nothing starts anything while we look. */
function holdStill(lab: string, name: string | undefined): Process[] {
  const still = new Map<string, Process>();
  for (;;) {
    const snapshot = takeSnapshot();
    const moving = membersOf(snapshot, lab, name).filter((process) =>
      !hasEnded(process) && !still.has(`${process.pid} ${process.start}`)
    );
    if (moving.length === 0) return [...still.values()];
    if (moving.some(({ pid }) => pid === snapshot.self)) {
      release(still.values());
      throw new LabError(
        `this runs inside the lab ${lab}: leave it first (exit), then remove it`,
      );
    }
    try {
      for (const process of moving) send(process, "SIGSTOP");
    } catch (error) {
      release([...still.values(), ...moving]);
      throw error;
    }
    for (const process of moving) {
      still.set(`${process.pid} ${process.start}`, process);
    }
  }
}

function release(processes: Iterable<Process>): void {
  for (const process of processes) {
    try {
      send(process, "SIGCONT");
    } catch (error) {
      if (!(error instanceof LabError)) throw error; // Another user's was never stopped.
    }
  }
}

function send(process: Process, signal: Deno.Signal): void {
  try {
    if (isAlive(process)) Deno.kill(process.pid, signal);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new LabError(
      `process ${process.pid} (${process.command}) of the lab belongs to the ` +
        `user ${process.owner}: remove the lab as that user, or with sudo`,
    );
  }
}

async function gone(processes: readonly Process[]): Promise<void> {
  const until = Date.now() + 2000;
  for (;;) {
    const left = processes.filter(isAlive);
    if (left.length === 0) return;
    if (Date.now() > until) {
      const list = left.map(({ pid, command }) => `${pid} (${command})`);
      throw new LabError(
        `these processes do not end, though killed: ${list.join(", ")}; ` +
          "look at /proc/PID/stack for what they wait for, then remove the lab again",
      );
    }
    await pause(2);
  }
}

/** Whether anything of the lab runs. */
export function isRunning(
  cluster: Pick<Cluster, "name" | "stateDir">,
): boolean {
  return membersOf(takeSnapshot(), labId(cluster)).length > 0;
}

/**
 * Ends a lab and forgets all that is known of it. Works on ruins, and where
 * there is nothing: it asks no file what there was.
 *
 * @returns how many processes were ended
 * @throws {LabError} as endMachines() does
 */
export async function removeLab(cluster: Cluster): Promise<number> {
  const ended = await endMachines(labId(cluster));
  const { name, stateDir } = cluster;
  // Never a folder that is not plainly a cluster's.
  if (stateDir.endsWith(`/${name}`)) await forget(stateDir);
  return ended;
}

async function forget(stateDir: string): Promise<void> {
  try {
    await Deno.remove(stateDir, { recursive: true });
    const parent = stateDir.slice(0, stateDir.lastIndexOf("/"));
    if (!parent.endsWith("/.state")) return;
    if ((await Array.fromAsync(Deno.readDir(parent))).length > 0) return;
    await Deno.remove(parent);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new LabError(
      `${stateDir} belongs to another user, and so may the lab: remove it ` +
        "as that user, or with sudo",
    );
  }
}

function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}
