/**
 * The end of a lab, or of one of its machines: every process that belongs to
 * it is ended by its id, and with the last one the kernel takes the namespaces,
 * links and mounts. By hand: `deno run -A lib/lab/remove.ts LAB [MACHINE]`.
 */
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
      `process ${process.pid} (${process.command}) of the lab belongs to the user ${process.owner}: ` +
        "remove the lab as that user, or with sudo",
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

/**
 * The control groups that a container runtime on the lab's nodes made: those
 * of processes without our marks, that no marked one shares.
 *
 * @returns folders
 */
function cgroupsOf(processes: readonly Process[]): readonly string[] {
  const made = new Set<string>();
  const shared = new Set(cgroupFolders("self"));
  for (const process of processes) {
    const marked = process.holds !== undefined || process.entered !== undefined;
    for (const folder of cgroupFolders(process.pid)) {
      (marked ? shared : made).add(folder);
    }
  }
  return [...made].filter((folder) => !shared.has(folder));
}

/**
 * What the names of the control groups begin with that stage 02's containerd
 * makes, at the top level, for the containers of a lab or of one of its machines.
 */
export function controlGroupPrefix(lab: string, name?: string): string {
  return `deno-cni-${lab}-${name === undefined ? "" : `${name}-`}`;
}

/** Control groups at the top level of every hierarchy: a container that has ended leaves its own empty. */
function namedCgroups(prefix: string): readonly string[] {
  const root = "/sys/fs/cgroup";
  return [root, ...foldersIn(root)].flatMap((hierarchy) =>
    foldersIn(hierarchy).filter((folder) =>
      folder.startsWith(`${hierarchy}/${prefix}`)
    )
  );
}

function foldersIn(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].filter((entry) => entry.isDirectory)
      .map(({ name }) => `${folder}/${name}`);
  } catch {
    return []; // No control groups here, or gone.
  }
}

/** Reads /proc/PID/cgroup (cgroups(7)): a line a hierarchy, `0::` for version 2. */
function cgroupFolders(process: number | "self"): string[] {
  const root = "/sys/fs/cgroup";
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${process}/cgroup`);
  } catch {
    return []; // It has ended.
  }
  return text.trim().split("\n").flatMap((line) => {
    const [, controllers, ...rest] = line.split(":");
    const path = rest.join(":");
    if (path === "/" || path === "" || path.includes("..")) return [];
    return controllers === ""
      ? [`${root}${path}`, `${root}/unified${path}`]
      : [`${root}/${controllers?.replace(/^name=/, "")}${path}`];
  });
}

/** Removes control groups and their parents, as far up as they are empty; systemd's own stay. */
function removeCgroups(folders: readonly string[]): void {
  for (let folder of folders) {
    while (
      folder.split("/").length > 4 && !/\.(slice|scope|service)$/.test(folder)
    ) {
      try {
        Deno.removeSync(folder);
      } catch {
        break; // In use, or gone.
      }
      folder = folder.slice(0, folder.lastIndexOf("/"));
    }
  }
}

function pause(time_ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, time_ms));
}

if (import.meta.main) {
  const [lab, name, ...more] = Deno.args;
  if (lab === undefined || more.length > 0) {
    console.error("usage: deno run -A lib/lab/remove.ts LAB [MACHINE]");
    Deno.exit(2);
  }
  try {
    await endMachines(lab, name);
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    console.error(error.message);
    Deno.exit(1);
  }
}
