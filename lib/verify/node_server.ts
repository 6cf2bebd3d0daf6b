/**
 * The server of a node during a check. It listens on the node's own addresses
 * only, as nobody, and executes nothing: each caller has a static page of its
 * own there, and the server's log tells which address asked for that page. It
 * ends with the check, or by itself after a few minutes. A lab's nodes, which
 * nothing beyond the lab reaches, have the server of the pods instead
 * (namespace_pods.ts), for a look around.
 */
import { type Family, familyOf } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { oncePer } from "../cluster/once.ts";
import { cmd, type Command } from "../exec/command.ts";
import { pageText, readSource } from "./http_calls.ts";
import { type Path, startsAtPod } from "./matrix.ts";
import {
  folder as podFolder,
  nodePort,
  type PodStep,
} from "./namespace_pods.ts";

/** Where a node has the pages and the log, for as long as the server runs. */
const folder = "/run/deno-cni-verify";

/** After so many seconds a server ends whose check was cut off. */
const life_seconds = 600;

/** Whether the nodes' servers end with the check, and tell by their log whom they saw. */
export function hasLoggedServers({ provider }: Cluster): boolean {
  return provider !== "lab";
}

/** The page of a path's caller. */
export function pageOf(path: Pick<Path, "kind" | "from">): string {
  return `${path.from}.${startsAtPod(path) ? "pod" : "node"}`;
}

// A process that has no other user than root is in a namespace of a lab's.
const startScript = `
umask 022
folder=$1 port=$2 life=$3 pages=$4 text=$5; shift 5
mkdir -p "$folder/www"
for page in $pages; do echo "$text" >"$folder/www/$page"; done
: >"$folder/log"
user=$(busybox awk '$1 <= 65534 && $1 + $3 > 65534 { print "-u 65534" }' /proc/self/uid_map)
listeners() { ss -Hltn "sport = :$port" | wc -l; }
wanted=$(($(listeners) + $#))
for address; do
  setsid timeout "$life" busybox httpd -f -vv -p "$address:$port" $user -h "$folder/www" \\
    </dev/null >/dev/null 2>>"$folder/log" &
done
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ "$(listeners)" -lt "$wanted" ] && ! grep -q bind: "$folder/log" || break
  sleep 0.1
done
grep bind: "$folder/log" || :`;

/** All nodes have the same pages: one text, however many they are. */
const pagesFor = oncePer((nodes: readonly ClusterNode[]): string =>
  [
    "source.cgi",
    ...nodes.flatMap(({ name }) => [`${name}.node`, `${name}.pod`]),
  ].join(" ")
);

/**
 * Starts a node's server; is back once it listens. Prints why it does not,
 * where it cannot.
 */
export function startServer(
  { addresses }: ClusterNode,
  { nodes }: Cluster,
): PodStep {
  const hosts = addresses.map((address) =>
    address.includes(":") ? `[${address}]` : address
  );
  return {
    why:
      "This node answers on its own addresses, as nobody and for the check " +
      "only; its log tells which address each caller had",
    run: cmd`sh -c ${startScript.trim()} serve ${[
      ...[folder, nodePort, life_seconds, pagesFor(nodes), pageText],
      ...hosts,
    ]}`,
  };
}

/** Prints the server's log. */
export function serverLog(): Command {
  return cmd`cat ${folder}/log`;
}

/**
 * Reads a server's log.
 *
 * @returns the address that asked for a page last, by page, then family
 */
export function readServerLog(
  printed: string,
): ReadonlyMap<string, ReadonlyMap<Family, string>> {
  const found = new Map<string, Map<Family, string>>();
  for (const line of printed.split("\n")) {
    const [, said = "", page] = /^(\S+):\d+: url:\/(\S+)$/.exec(line) ?? [];
    const source = readSource(said);
    if (page === undefined || source === undefined) continue;
    const sources = found.get(page) ?? new Map<Family, string>();
    found.set(page, sources.set(familyOf(source), source));
  }
  return found;
}

/**
 * Ends a node's server and forgets it: also the one of a check that was cut
 * off, known by the port and the folder that it serves.
 */
export function endServer(): PodStep {
  const script =
    'ss -Hltnp "sport = :$1" | grep -o "pid=[0-9]*" | while IFS== read -r _ pid; do ' +
    'if grep -qszxF -e "$2/www" -e "$3" "/proc/$pid/cmdline"; then kill "$pid"; fi; done; ' +
    'rm -rf "$2" "$3"; rmdir "$4" 2>/dev/null || :';
  return {
    why: "End this node's server",
    run: cmd`sh -c ${script} end ${[
      ...[nodePort, folder, `${podFolder}/node.www`, podFolder],
    ]}`,
  };
}
