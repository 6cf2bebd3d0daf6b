/**
 * Listening: a table of our own that makes the kernel tell of some packets, at
 * each hook that they pass, and `nft monitor` beside it that writes down what
 * it tells.
 *
 * A keeper on the machine holds both: it takes the tables away when it is told
 * to end and, should no process be left to tell it, when its life is over. What a
 * killed keeper leaves, the next startMonitor() takes away; which network namespaces
 * have a table is written down before the first one is made.
 */
import type { Family } from "../net/cidr.ts";
import {
  cmd,
  type Command,
  type RunOptions,
  withInput,
} from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { Runner } from "../node/node.ts";
import { askParts, partOf } from "../node/parts.ts";
import { ownTable } from "./nft_events.ts";
import type { Server } from "./probe_packets.ts";

/** Where a machine keeps what is heard. */
const listenFolder = "/run/deno-cni-trace";

/** How long a keeper lives when nothing ends it: longer than any trace takes. */
const life_seconds = 15;

/** The machine's own network namespace, where the path of one could stand. */
export const ownNamespace = "node";

/** Which packets of a family to tell of. */
export interface Watched {
  readonly family: Family;
  /** The identifiers of echo requests and their replies. */
  readonly ids: readonly number[];
  /** What goes to these servers and comes of them; of TCP, how a connection begins. */
  readonly servers?: readonly Server[];
}

/**
 * The table, for `nft -f`. Its first chains are ahead of all others, and mark
 * the packets; its last ones come after all others, so that a packet that is
 * seen there was let through, and has the addresses that it leaves with.
 */
function rules(watched: readonly Watched[]): string {
  const marks = watched.flatMap(matchesOf)
    .map((match) => `    ${match} meta nftrace set 1\n`).join("");
  const chain = (hook: string, priority: number, body = "") =>
    `  chain ${hook} {\n    type filter hook ${hook} priority ${priority}; ` +
    `policy accept;\n${body}  }\n`;
  return `table inet ${ownTable} {\n` +
    chain("prerouting", -400, marks) + chain("output", -400, marks) +
    chain("input", 400) + chain("forward", 400) + chain("postrouting", 400) +
    "}\n";
}

/** What these packets alone have. */
function matchesOf({ family, ids, servers = [] }: Watched): readonly string[] {
  const icmp = family === 4 ? "icmp" : "icmpv6";
  const ip = family === 4 ? "ip" : "ip6";
  return [
    `${icmp} type { echo-request, echo-reply } ${icmp} id { ${
      ids.join(", ")
    } }`,
    ...servers.flatMap(({ protocol, address, port }) => {
      const there = `${ip} daddr ${address} ${protocol} dport ${port}`;
      const back = `${ip} saddr ${address} ${protocol} sport ${port}`;
      return protocol === "udp" ? [there, back] : [
        `${there} tcp flags & (syn | ack) == syn`,
        `${back} tcp flags & (syn | rst) != 0`,
      ];
    }),
  ];
}

/**
 * Begins to listen. It is back once each place is listened at.
 *
 * @param places paths of network namespaces, or `ownNamespace`
 */
export function startMonitor(
  watched: readonly Watched[],
  places: readonly string[],
  life = life_seconds,
): Command {
  const file = (name: string) => shellProgram(name, import.meta.url);
  const start = file("start_monitor.sh");
  const keeper = file("keeper.sh");
  return withInput(
    cmd`sh -c ${start} listen ${listenFolder} ${ownTable} ${life} ${keeper} ${places}`,
    rules(watched),
  );
}

/**
 * Ends the listening, and takes the tables away.
 *
 * @param places as startMonitor() was given them
 * @returns what was heard at each place; undefined where nothing came of it
 */
export async function stopMonitor(
  runner: Runner,
  places: readonly string[],
  options: RunOptions,
): Promise<readonly (string | undefined)[]> {
  const { parts = [] } = await askParts(runner, {
    name: "stop",
    program: shellProgram("stop_monitor.sh", import.meta.url),
    args: [listenFolder],
  }, options);
  return places.map((_, at) => partOf(parts, `${at + 1}`));
}
