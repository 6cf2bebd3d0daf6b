/** What is wrong with a node's BGP sessions, in bird's words, and with what comes by them. Pure. */
import { containsCidr, parseCidr } from "../net/cidr.ts";
import { confHead, confPath, examplePath } from "../bgp/bird_conf.ts";
import { readSessions, type SeenSession } from "../bgp/seen_sessions.ts";
import {
  type BgpSession,
  reflectorsOf,
  sessionsOf,
} from "../cluster/bgp_sessions.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { Asked } from "../node/batch.ts";
import type { Cause } from "./cause.ts";
import type { Evidence } from "./evidence.ts";
import { makeStage, onNode, type Remedy } from "./remedy.ts";

const program = shellProgram("bgp.sh", import.meta.url);

/** Something wrong with a node's sessions. */
interface BgpFault {
  /** The node at the far end; none where it is bird itself, or a router's session. */
  readonly far?: string;
  /** Whether all sessions are lost, or this one; a warning loses none. */
  readonly is: "bird" | "fault" | "warning";
  readonly cause: Cause;
}

/** The question that bgpFaults() reads the answer to; it changes nothing. */
export function bgpQuestion({ bgp }: Cluster): Command | undefined {
  return bgp === undefined ? undefined : {
    ...cmd`sh -c ${program} bgp ${confPath} ${examplePath}`,
    label: "birdc -r show protocols all",
  };
}

/** A route that a session brought, and that the node does not take. */
interface RefusedRoute {
  readonly to: string;
  readonly session: string;
}

/** Reads `birdc show route filtered`. */
export function readRefused(text: string): readonly RefusedRoute[] {
  let to = "";
  return text.split("\n").flatMap((line) => {
    const [, first, session] =
      /^(\S*\/\d+)? +(?:unicast|blackhole|unreachable|prohibit) \[(\S+) /
        .exec(line) ?? [];
    to = first ?? to;
    return session === undefined ? [] : [{ to, session }];
  });
}

function linesOf({ outcome }: Asked, name: string): string {
  return outcome.stdout.split("\n")
    .filter((line) => line.startsWith(`${name} `))
    .map((line) => line.slice(name.length + 1)).join("\n");
}

/** Whether the answer is whole. */
export function isWholeBgp({ outcome }: Asked): boolean {
  return outcome.stdout.endsWith("end\n");
}

/** What the node's answer says that is wrong, likeliest first. */
export function bgpFaults(
  cluster: Cluster,
  node: ClusterNode,
  asked: Asked,
): readonly BgpFault[] {
  if (!isWholeBgp(asked)) return [];
  const bird = birdFault(node, asked);
  if (bird !== undefined) return [{ is: "bird", cause: bird }];
  const seen = readSessions(linesOf(asked, "session"));
  const sessions = sessionsOf(cluster, node);
  return [
    ...sessions.flatMap((session): BgpFault[] => {
      const cause = sessionFault(node, asked, session, seen);
      const far = session.node === undefined ? {} : { far: session.node };
      return cause === undefined ? [] : [{ ...far, is: "fault", cause }];
    }),
    ...readRefused(linesOf(asked, "filtered"))
      .map((route) => refusedFault(cluster, node, route, sessions)),
  ];
}

/** The fault of the sessions of two nodes that keeps the one's routes from the other. */
export function bgpFaultBetween(
  cluster: Cluster,
  ends: readonly (readonly [ClusterNode, Asked | undefined])[],
): Cause | undefined {
  const names = ends.map(([{ name }]) => name);
  const faults = ends.flatMap(([node, asked]) =>
    asked === undefined ? [] : bgpFaults(cluster, node, asked)
  ).filter(({ is }) => is !== "warning");
  return (faults.find(({ is }) => is === "bird") ??
    faults.find(({ far = "" }) => names.includes(far)) ??
    // What a router or a reflector does not learn may be this very route.
    faults.find(({ far }) =>
      far === undefined || reflectorsOf(cluster).includes(far)
    ))?.cause;
}

function shown(node: ClusterNode, command: Command, printed: string): Evidence {
  return { where: node.name, command: show(command), printed };
}

/** bird does not run, or with another's configuration. */
function birdFault(node: ClusterNode, asked: Asked): Cause | undefined {
  const on = node.name;
  const head = linesOf(asked, "conf");
  const said = linesOf(asked, "session");
  if (head !== "absent" && head !== confHead.trim()) {
    return {
      kind: "bgp",
      on,
      what: `${confPath} of ${on} is not ours: stage 08 did not write it`,
      evidence: [shown(node, cmd`head -n 1 ${confPath}`, head)],
      remedies: [
        onNode(on, cmd`mv ${confPath} ${`${confPath}.old`}`),
        makeStage("08-routes", on),
      ],
    };
  }
  if (/^Name +Proto/m.test(said)) return undefined;
  return {
    kind: "bgp",
    on,
    what: `bird does not run on ${on}, so no node tells it of routes, and it ` +
      "tells none",
    evidence: [
      shown(node, cmd`birdc -r show protocols`, said.trim() || "nothing"),
    ],
    remedies: [makeStage("08-routes", on)],
  };
}

function sessionFault(
  node: ClusterNode,
  asked: Asked,
  { name, address, node: far }: BgpSession,
  seen: readonly SeenSession[],
): Cause | undefined {
  const found = seen.find((one) => one.name === name);
  if (found?.state === "Established") return undefined;
  const on = node.name;
  const whom = far ?? `the router ${address}`;
  const rule = linesOf(asked, "rule").split("\n")
    .find((line) =>
      line !== "" && (!/ -[sd] /.test(line) || line.includes(` ${address}/`))
    );
  const why = rule !== undefined
    ? `${on} drops what is for BGP's port 179: ${rule}`
    : reasonOf(found);
  const state = found === undefined
    ? "bird has no such session"
    : `bird says ${found.state}${found.error ? `, ${found.error}` : ""}`;
  return {
    kind: "bgp",
    on,
    what: `the BGP session of ${on} with ${whom} is down (${state})` +
      (why === undefined ? "" : `: ${why}`),
    evidence: [
      shown(
        node,
        cmd`birdc -r show protocols`,
        found === undefined ? "nothing" : JSON.stringify(found),
      ),
    ],
    remedies: remediesOf(on, far, address, rule, found),
  };
}

/** What bird's word means. */
function reasonOf(found: SeenSession | undefined): string | undefined {
  const error = found?.error ?? "";
  if (/Bad peer AS/.test(error)) {
    return "the two ends do not agree on the number of the autonomous system";
  }
  if (/Connection refused/.test(error)) return "no bird runs at the other end";
  if (/Connection reset|Connection closed|Invalid authentication/.test(error)) {
    return "the other end hangs up: its bird has no such session, or another password";
  }
  if (/No route to host|unreachable/i.test(error)) {
    return "the other end is not reached at all";
  }
  if (/Hold timer/.test(error)) return "the other end has fallen silent";
  return found === undefined || found.state === "Idle"
    ? undefined
    : "nothing comes back: TCP port 179 is dropped between the two, or the " +
      "passwords differ";
}

function remediesOf(
  on: string,
  far: string | undefined,
  address: string,
  rule: string | undefined,
  found: SeenSession | undefined,
): readonly Remedy[] {
  if (rule !== undefined) {
    const [tool = "iptables", , ...words] = rule.split(" ");
    return [onNode(on, cmd`${tool} -w -D ${words}`)];
  }
  // Whichever end is not as its stage left it.
  return found === undefined || far !== undefined
    ? [{ stage: "08-routes" }]
    : [{
      say:
        `look at the router ${address}: its session with ${on}, the number ` +
        "of its autonomous system, its password, and what its firewall drops",
    }];
}

/** What came, and must not. */
function refusedFault(
  cluster: Cluster,
  node: ClusterNode,
  { to, session }: RefusedRoute,
  sessions: readonly BgpSession[],
): BgpFault {
  const on = node.name;
  const from = sessions.find(({ name }) => name === session);
  const whom = from?.node ?? (from ? `the router ${from.address}` : session);
  const cidr = parseCidr(to);
  const own = node.podCIDRs.find((podCIDR) =>
    containsCidr(parseCidr(podCIDR), cidr)
  );
  const what = own !== undefined
    ? `${whom} announces ${to}, which is ${on}'s own (podCIDR ${own}): other ` +
      "nodes may send there what is for its pods"
    : cidr.prefixLength === 0
    ? `${whom} announces a default route (${to}), which ${on} does not take`
    : `${whom} announces ${to}, which is not of the pod network (` +
      `${cluster.clusterCIDRs.join(", ")}); ${on} does not take it`;
  const far = from?.node;
  return {
    ...(far === undefined ? {} : { far }),
    is: "warning",
    cause: {
      kind: "bgp",
      on,
      what,
      evidence: [
        shown(node, cmd`birdc -r show route filtered`, `${to} [${session}]`),
      ],
      remedies: far === undefined
        ? [{ say: `let ${whom} no longer announce ${to}` }]
        : [makeStage("08-routes", far)],
    },
  };
}
