/**
 * The kernel's tables that are one for many, and may be full: one question, and
 * the reading of its answer (ip-sysctl.rst, nf_conntrack-sysctl.rst, proc(5)).
 */
import { cmd, type Command, type Outcome } from "../../exec/command.ts";
import { shellProgram } from "../../exec/shell_program.ts";
import {
  type AnswerPart,
  linesOf,
  partOf,
  partsCommand,
  readParts,
} from "../../node/parts.ts";
import type { KernelTable } from "./table.ts";
import { neighbourTables } from "./neighbour_tables.ts";
import { cgroupTables, inotifyTables } from "./process_tables.ts";

/** A text that no part of an answer holds. */
const boundary = crypto.randomUUID();

/** Asks how full the tables are. It changes nothing. */
export const askTables = asking();

/** Asks the same of those tables alone that each network namespace has its own of. */
export const askOwnTables = asking("own");

function asking(...args: readonly string[]): Command {
  const program = shellProgram("tables.sh", import.meta.url);
  return {
    ...partsCommand({ name: "tables", program, args }, boundary),
    label: "sh -c … tables",
  };
}

/**
 * Reads what askTables brought.
 *
 * @returns undefined when it did not come to its end
 */
export function readTables(
  outcome: Pick<Outcome, "stdout">,
): readonly KernelTable[] | undefined {
  const parts = readParts(outcome, boundary);
  return parts === undefined ? undefined : tablesIn(parts);
}

/** The tables that an answer tells of. Pure. */
export function tablesIn(
  parts: readonly AnswerPart[],
): readonly KernelTable[] {
  const values = valuesIn(partOf(parts, "values") ?? "");
  return [
    ...neighbourTables(
      partOf(parts, "neighbours") ?? "",
      linesOf(parts, "unbounded"),
    ),
    ...connectionTables(parts, values),
    ...fragmentTables(partOf(parts, "sockets") ?? "", values),
    ...portTables(partOf(parts, "sockets") ?? "", values),
    ...routeTables(values),
    ...bridgeTables(parts),
    ...fileTables(values),
    ...taskTables(values),
    ...inotifyTables(parts, values),
    ...cgroupTables(linesOf(parts, "cgroups")),
  ].filter(({ used, limit }) => Number.isFinite(used) && limit > 0);
}

/** Files by their path, with the numbers in them. */
type Values = ReadonlyMap<string, readonly string[]>;

function valuesIn(text: string): Values {
  return new Map(
    [...text.matchAll(/^(\/[^:]*):(.*)$/gm)]
      .map(([, path = "", words = ""]) => [path, words.trim().split(/\s+/)]),
  );
}

const at = (values: Values, path: string, column = 0) =>
  Number(values.get(path)?.[column] ?? NaN);

/** What a file of /proc/sys is called by sysctl(8), and what makes it larger. */
const settingAt = (
  setting: string,
): Pick<KernelTable, "setting" | "widen"> => ({
  setting,
  widen: (limit) => cmd`sysctl -w ${`${setting}=${limit}`}`,
});

const netfilter = "/proc/sys/net/netfilter";

function connectionTables(
  parts: readonly AnswerPart[],
  values: Values,
): readonly KernelTable[] {
  const count = `${netfilter}/nf_conntrack_count`;
  const max = `${netfilter}/nf_conntrack_max`;
  const expectMax = `${netfilter}/nf_conntrack_expect_max`;
  const shown = [count, max]
    .map((path) => `${path}:${values.get(path)?.join(" ")}`);
  const dropped = columnSum(partOf(parts, "tracked") ?? "", "drop");
  return [{
    name: "table of connections",
    of: "packets",
    used: at(values, count),
    limit: at(values, max),
    ...(dropped === undefined ? {} : { refused: dropped }),
    effect: "new ones are dropped",
    oneForAll: false,
    setForAll: true,
    shownBy: cmd`grep -H ${""} ${[count, max]}`,
    printed: shown.join("\n"),
    ...settingAt("net.netfilter.nf_conntrack_max"),
  }, {
    name: "table of expected connections",
    of: "packets",
    used: Number(partOf(parts, "expected")?.trim() || NaN),
    limit: at(values, expectMax),
    effect: "FTP and SIP open no second connection",
    oneForAll: false,
    setForAll: true,
    shownBy: cmd`grep -c . /proc/net/nf_conntrack_expect`,
    printed: partOf(parts, "expected")?.trim() ?? "",
    ...settingAt("net.netfilter.nf_conntrack_expect_max"),
  }];
}

/** The sum of a column of a file of /proc/net/stat: hexadecimal, a line a processor. */
function columnSum(text: string, name: string): number | undefined {
  const [head = "", ...lines] = text.trim().split("\n")
    .map((line) => line.trim().split(/\s+/));
  const column = Array.isArray(head) ? head.indexOf(name) : -1;
  if (column < 0) return undefined;
  return lines.reduce(
    (sum, words) => sum + (parseInt(words[column] ?? "", 16) || 0),
    0,
  );
}

const inLine = (text: string, pattern: RegExp) => {
  const [line = "", value] = pattern.exec(text) ?? [];
  return { line, value: Number(value ?? NaN) };
};

function fragmentTables(text: string, values: Values): readonly KernelTable[] {
  return ([4, 6] as const).map((family): KernelTable => {
    const { line, value } = inLine(
      text,
      family === 4 ? /^FRAG: .*memory (\d+)$/m : /^FRAG6: .*memory (\d+)$/m,
    );
    const name = family === 4
      ? "ipv4/ipfrag_high_thresh"
      : "ipv6/ip6frag_high_thresh";
    return {
      name: `memory for IPv${family} fragments`,
      of: "packets",
      family,
      used: value,
      limit: at(values, `/proc/sys/net/${name}`),
      effect: "packets that come in pieces are lost",
      oneForAll: false,
      shownBy: cmd`cat /proc/net/sockstat${family === 4 ? "" : "6"}`,
      printed: `…\n${line}\n…`,
      ...settingAt(`net.${name.replace("/", ".")}`),
    };
  });
}

function portTables(text: string, values: Values): readonly KernelTable[] {
  const path = "/proc/sys/net/ipv4/ip_local_port_range";
  const [first, last] = [at(values, path), at(values, path, 1)];
  const pattern = /^TCP: inuse (\d+) orphan \d+ tw (\d+) .*$/m;
  const [line = "", inUse, waiting] = pattern.exec(text) ?? [];
  const setting = "net.ipv4.ip_local_port_range";
  return [{
    name: "range of ports for connections of the node's own",
    of: "processes",
    used: Number(inUse ?? NaN) + Number(waiting ?? NaN),
    limit: last - first + 1,
    effect: "a connection to where many lead already finds no port " +
      "(EADDRNOTAVAIL)",
    oneForAll: false,
    shownBy: cmd`cat /proc/net/sockstat`,
    printed: `…\n${line}\n…`,
    setting,
    widen: () => cmd`sysctl -w ${`${setting}=1024 65535`}`,
  }];
}

function routeTables(values: Values): readonly KernelTable[] {
  const path = "/proc/net/rt6_stats";
  return [{
    name: "cache of IPv6 routes",
    of: "packets",
    family: 6,
    // Hexadecimal; the sixth is what max_size bounds (net/ipv6/route.c).
    used: parseInt(values.get(path)?.[5] ?? "", 16),
    limit: at(values, "/proc/sys/net/ipv6/route/max_size"),
    effect: "before Linux 6.3, no packet goes to a new address",
    oneForAll: false,
    shownBy: cmd`cat ${path}`,
    printed: values.get(path)?.join(" ") ?? "",
    ...settingAt("net.ipv6.route.max_size"),
  }];
}

/** BR_MAX_PORTS less the number 0, which no port gets (net/bridge/br_private.h). */
const mostPorts = (1 << 10) - 1;

function bridgeTables(parts: readonly AnswerPart[]): readonly KernelTable[] {
  const ports = linesOf(parts, "ports").map((line): KernelTable => {
    const [bridge = "", count = ""] = line.split(" ");
    return {
      name: `list of ${bridge}'s ports`,
      of: "processes",
      used: Number(count),
      limit: mostPorts,
      effect: "no further pod can be plugged in (EXFULL)",
      oneForAll: false,
      shownBy: cmd`sh -c ${`ls /sys/class/net/${bridge}/brif | wc -l`}`,
      printed: count,
    };
  });
  const text = partOf(parts, "bridges") ?? "";
  const learned = [...text.matchAll(
    /^\d+: ([^:@]+)[^]*?(fdb_n_learned (\d+) fdb_max_learned (\d+))/gm,
  )].map(([, bridge = "", printed, used, limit]): KernelTable => ({
    name: `table of the link-layer addresses that ${bridge} has learned`,
    of: "packets",
    used: Number(used),
    limit: Number(limit),
    effect: "frames to others are flooded, or lost where that is off",
    oneForAll: false,
    shownBy: cmd`ip -d link show dev ${bridge}`,
    printed: `… ${printed} …`,
    setting: "fdb_max_learned",
    widen: (limit) =>
      cmd`ip link set dev ${bridge} type bridge fdb_max_learned ${limit}`,
  }));
  return [...ports, ...learned];
}

function fileTables(values: Values): readonly KernelTable[] {
  const path = "/proc/sys/fs/file-nr";
  return [{
    name: "table of open files",
    of: "processes",
    used: at(values, path),
    limit: at(values, path, 2),
    effect: "no process opens a file or a connection (ENFILE)",
    oneForAll: true,
    shownBy: cmd`cat ${path}`,
    printed: values.get(path)?.join(" ") ?? "",
    ...settingAt("fs.file-max"),
  }];
}

function taskTables(values: Values): readonly KernelTable[] {
  const path = "/proc/loadavg";
  // "6/605": those that run, and all that there are (proc(5)).
  const used = Number(values.get(path)?.[3]?.split("/")[1] ?? NaN);
  return ["pid_max", "threads-max"].map((name): KernelTable => ({
    name: "table of processes and threads",
    of: "processes",
    used,
    limit: at(values, `/proc/sys/kernel/${name}`),
    effect: "nothing can be started (EAGAIN)",
    oneForAll: true,
    shownBy: cmd`cat ${path}`,
    printed: values.get(path)?.join(" ") ?? "",
    ...settingAt(`kernel.${name}`),
  }));
}
