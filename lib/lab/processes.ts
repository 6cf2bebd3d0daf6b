/**
 * Which processes of this machine belong to a lab: read from /proc, since a
 * lab's state is nowhere else, and so cannot be lost.
 *
 * A machine of a lab is held by a process with DENO_CNI_HOLDER=<lab>/<machine>
 * in its environment; what enters the machine carries DENO_CNI_NODE the same
 * way; and its mount namespace has a tmpfs named deno-cni:<lab>/<machine>.
 * A birth that has just begun is known by its arguments. A container runtime's
 * children may have lost all of that: those are known by their ancestors, or by
 * a network namespace that the lab's mounts name.
 */

/** What /proc tells about a process. */
export interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
  /** One letter, as in /proc/PID/stat; Z and X have ended. */
  readonly state: string;
  /** Clock ticks from boot to its start, as /proc writes it: with the pid, an identity. */
  readonly start: string;
  /** User id of its owner. */
  readonly owner: number;
  /** The machine (<lab>/<name>) that it holds. */
  readonly holds?: string;
  /** The machine (<lab>/<name>) that it entered, or is about to make. */
  readonly entered?: string;
  /** Its network and mount namespaces, `net:[4026531840]`; absent where this user may not see. */
  readonly net?: string;
  readonly mnt?: string;
}

/** What the mounts of a namespace tell. */
export interface Mounts {
  /** The machine (<lab>/<name>) whose tmpfs is among them. */
  readonly machine?: string;
  /** Network namespaces that are bound to a file there. */
  readonly nets: readonly string[];
}

/** A moment of this machine. */
export interface ProcessSnapshot {
  readonly processes: readonly Process[];
  /** By mount namespace. */
  readonly mounts: ReadonlyMap<string, Mounts>;
  /** Network namespaces that are never a lab's: the machine's own. */
  readonly foreign: ReadonlySet<string>;
  /** The process that asks. */
  readonly self: number;
}

type Stat = Pick<Process, "pid" | "parent" | "command" | "state" | "start">;

/**
 * Reads a line of /proc/PID/stat (proc(5)). The command stands in parentheses
 * and may hold any character, also parentheses.
 *
 * @returns undefined where it is no such line
 */
export function parseStat(line: string): Stat | undefined {
  const open = line.indexOf("(");
  const close = line.lastIndexOf(")");
  if (open < 0 || close < open) return undefined;
  const [state, parent, ...rest] = line.slice(close + 2).split(" ");
  const start = rest[17]; // Field 22; the state is field 3.
  if (state === undefined || parent === undefined || start === undefined) {
    return undefined;
  }
  return {
    pid: Number(line.slice(0, open)),
    command: line.slice(open + 1, close),
    state,
    parent: Number(parent),
    start,
  };
}

/**
 * Reads /proc/PID/mountinfo (proc(5)) for what marks a lab.
 */
export function parseMounts(text: string): Mounts {
  let machine: string | undefined;
  const nets: string[] = [];
  for (const line of text.split("\n")) {
    const [mount, source] = line.split(" - ");
    if (mount === undefined || source === undefined) continue;
    const [type, name] = source.split(" ");
    const root = mount.split(" ")[3] ?? "";
    if (type === "tmpfs" && name?.startsWith("deno-cni:")) {
      machine = name.slice("deno-cni:".length);
    }
    if (type === "nsfs" && root.startsWith("net:")) nets.push(root);
  }
  return { nets, ...(machine === undefined ? {} : { machine }) };
}

/**
 * Reads /proc/PID/cmdline for a birth: `sh …/lab/machine.sh node LAB NAME …`.
 *
 * @returns the machine (<lab>/<name>)
 */
export function parseBirth(cmdline: string): string | undefined {
  const words = cmdline.split("\0");
  const at = words.findIndex((word) => word.endsWith("/lab/machine.sh"));
  const [lab, name] = at < 0 ? [] : words.slice(at + 2);
  return lab && name ? `${lab}/${name}` : undefined;
}

/**
 * The processes that belong to a lab, or to one of its machines.
 *
 * @param lab as labId() gives it
 * @param name the machine's name; without one, the whole lab
 */
export function membersOf(
  snapshot: ProcessSnapshot,
  lab: string,
  name?: string,
): readonly Process[] {
  const wanted = (machine: string | undefined) =>
    machine !== undefined &&
    (name === undefined
      ? machine.startsWith(`${lab}/`)
      : machine === `${lab}/${name}`);
  const nets = new Set<string>();
  const foreign = new Set(snapshot.foreign);
  for (const { holds, net } of snapshot.processes) {
    if (holds === undefined || net === undefined) continue;
    if (wanted(holds)) nets.add(net);
    else foreign.add(net);
  }
  for (const { machine, nets: bound } of snapshot.mounts.values()) {
    if (wanted(machine)) { for (const net of bound) nets.add(net); }
  }
  const inMounts = (mnt: string | undefined) =>
    mnt !== undefined && wanted(snapshot.mounts.get(mnt)?.machine);
  const inNets = (net: string | undefined) =>
    net !== undefined && nets.has(net) && !foreign.has(net);
  const members = new Map(
    snapshot.processes.filter((process) =>
      wanted(process.holds) || wanted(process.entered) ||
      inMounts(process.mnt) || inNets(process.net)
    ).map((process) => [process.pid, process]),
  );
  // Children of members, and theirs, until there are no more.
  for (let before = -1; before !== members.size;) {
    before = members.size;
    for (const process of snapshot.processes) {
      if (members.has(process.parent)) members.set(process.pid, process);
    }
  }
  return [...members.values()];
}

/** Reads /proc. A process that ends meanwhile, or is another user's, tells less or nothing. */
export function takeSnapshot(): ProcessSnapshot {
  const processes: Process[] = [];
  const mounts = new Map<string, Mounts>();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const process = readProcess(name);
    if (process === undefined) continue;
    processes.push(process);
    const { mnt } = process;
    if (mnt === undefined || mounts.has(mnt)) continue;
    const text = readFile(`/proc/${name}/mountinfo`);
    if (text !== undefined) mounts.set(mnt, parseMounts(text));
  }
  const own = [readLink("/proc/self/ns/net"), readLink("/proc/1/ns/net")];
  return {
    processes,
    mounts,
    foreign: new Set(own.filter((net) => net !== undefined)),
    self: Deno.pid,
  };
}

/**
 * The processes that hold the machines of a lab, by the machines' names: those
 * of this user alone, since to enter what another user made is to run his
 * programs.
 */
export function findHolders(lab: string): ReadonlyMap<string, Process> {
  const holders = new Map<string, Process>();
  const owner = Deno.uid();
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // Most processes are no lab's, and need not be asked for more.
    const marked = readFile(`/proc/${name}/environ`)
      ?.includes(`DENO_CNI_HOLDER=${lab}/`);
    const process = marked ? readProcess(name) : undefined;
    if (process?.holds === undefined || process.owner !== owner) continue;
    // Before it holds, it is the shell of lib/lab/machine.sh.
    if (process.command !== "sleep" || hasEnded(process)) continue;
    const [its, machine] = process.holds.split("/");
    if (its === lab && machine !== undefined) holders.set(machine, process);
  }
  return holders;
}

/** Whether the very process still runs, and not another one of the same pid. */
export function isAlive(process: Process): boolean {
  const text = readFile(`/proc/${process.pid}/stat`);
  const stat = text === undefined ? undefined : parseStat(text);
  return stat !== undefined && stat.start === process.start && !hasEnded(stat);
}

/** Whether it has ended, and only waits for its parent to notice. */
export function hasEnded(process: Pick<Process, "state">): boolean {
  return process.state === "Z" || process.state === "X";
}

/** A process's namespace, as `user:[4026531837]`. */
export function processNamespace(
  process: number | "self",
  kind: "net" | "mnt" | "user",
): string | undefined {
  return readLink(`/proc/${process}/ns/${kind}`);
}

function readProcess(pid: string): Process | undefined {
  const text = readFile(`/proc/${pid}/stat`);
  const stat = text === undefined ? undefined : parseStat(text);
  if (stat === undefined) return undefined;
  const environment = readFile(`/proc/${pid}/environ`)?.split("\0") ?? [];
  const value = (key: string) =>
    environment.find((entry) => entry.startsWith(`${key}=`))
      ?.slice(key.length + 1);
  const optional = {
    holds: value("DENO_CNI_HOLDER"),
    entered: value("DENO_CNI_NODE") ??
      (stat.command.endsWith("sh")
        ? parseBirth(readFile(`/proc/${pid}/cmdline`) ?? "")
        : undefined),
    net: readLink(`/proc/${pid}/ns/net`),
    mnt: readLink(`/proc/${pid}/ns/mnt`),
  };
  return {
    ...stat,
    owner: ownerOf(`/proc/${pid}`),
    ...Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ),
  };
}

function ownerOf(path: string): number {
  return tolerant(() => Deno.statSync(path).uid) ?? -1;
}

function readFile(path: string): string | undefined {
  return tolerant(() => Deno.readTextFileSync(path));
}

function readLink(path: string): string | undefined {
  return tolerant(() => Deno.readLinkSync(path));
}

/** What is undefined of a process that has ended, or is none of this user's. */
function tolerant<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.PermissionDenied ||
      // ESRCH: it ended between open and read; EINVAL: a kernel thread.
      (error instanceof Error && /os error (3|22)\b/.test(error.message))
    ) return undefined;
    throw error;
  }
}
