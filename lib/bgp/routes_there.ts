/** Whether what the other nodes announce has come to a node. */
import { familyOf } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import {
  type BgpSession,
  reflectorsOf,
  sessionsOf,
} from "../cluster/bgp_sessions.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { birdProtocol, routeProtocol, unknown } from "../steps/probes.ts";
import type { Answer, Step } from "../stage/stage.ts";

const program = shellProgram("routes_there.sh", import.meta.url);

/** What bird tells the kernel: where a bird reads a new configuration, it comes anew. */
export const bgpRoutes = "the routes of BGP";

/** Seconds that BGP is given to tell of all podCIDRs. */
const patience_s = 60;

interface Route {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
}

/** Where the routes have to come: a node, or the router of a lab. */
interface Place {
  readonly name: string;
  readonly sessions: () => readonly BgpSession[];
  /** Gives the command that, run by the operator, runs another there. */
  readonly enter: (command: Command) => Command;
}

/**
 * The step, for the operator's machine, that waits for a place's routes. What
 * nodes announce that the run is not for is told where it does not come, and is
 * no failure: they may have to run the stage themselves.
 *
 * @param selected the nodes that the run is for; left out, all
 */
export function routesThere(
  cluster: Cluster,
  { name, sessions, enter }: Place,
  selected: readonly string[] | undefined,
): Step {
  const others = cluster.nodes.filter((node) => node.name !== name);
  const podCIDRs = others.flatMap((other) => other.podCIDRs);
  const families = cluster.clusterCIDRs.map(familyOf);
  const script = families.map((family) => `ip -${family} -j route show`).join(
    " && echo && ",
  );
  let run: Step["run"] | undefined;
  return {
    key: `routes of ${name}`,
    ...(others.length < cluster.nodes.length ? { node: name } : {}),
    independent: true,
    heldBy: bgpRoutes,
    why: `What the others announce has come to ${name}, and its kernel ` +
      "has the routes",
    doneWhen: {
      ask: { ...enter(cmd`sh -c ${script}`) },
      read(outcome): Answer {
        const lists = outcome.stdout.trim().split(/\n+/)
          .map((line) => parseIpList<Route>(line));
        if (!succeeded(outcome) || lists.includes(undefined)) {
          return unknown(outcome, `the routes of ${name}`);
        }
        return readRoutes(lists.flatMap((list) => list ?? []), podCIDRs, name);
      },
    },
    get run() {
      return run ??= {
        ...enter(
          cmd`sh -c ${program} wait ${patience_s} ${
            waitedFor(cluster, others, sessions(), selected)
          }`,
        ),
        label: `wait on ${name} until ip route show proto bird has ` +
          `${podCIDRs.length} podCIDRs`,
      };
    },
    timeout_ms: (patience_s + 30) * 1000,
  };
}

/**
 * What has not come to nodes that a run was for, of nodes that it was not for: a
 * line each, with bird's word for why.
 *
 * @param run runs a command on a node
 * @throws {UnreachableError}
 */
export async function routesToCome(
  cluster: Cluster,
  selected: readonly string[],
  run: (name: string, command: Command) => Promise<Outcome>,
): Promise<readonly string[]> {
  const { bgp, nodes } = cluster;
  if (bgp === undefined || nodes.length === selected.length) return [];
  const mine = nodes.filter(({ name }) => selected.includes(name));
  const lines = await Promise.all(mine.map(async (node) => {
    const others = nodes.filter(({ name }) => !selected.includes(name));
    const waited = waitedFor(
      cluster,
      others,
      sessionsOf(cluster, node),
      selected,
    );
    const { stdout } = await run(
      node.name,
      cmd`sh -c ${program} tell 0 ${waited}`,
    );
    return stdout.split("\n").filter((line) => line !== "")
      .map((line) => `${node.name}: ${line}`);
  }));
  return lines.flat();
}

/** The podCIDRs of other nodes, as routes_there.sh takes them. */
function waitedFor(
  cluster: Cluster,
  others: readonly ClusterNode[],
  sessions: readonly BgpSession[],
  selected: readonly string[] | undefined,
): readonly string[] {
  const reflectors = reflectorsOf(cluster);
  // One that reflects tells of those with which there is no session.
  const reflector = sessions.find(({ node = "" }) => reflectors.includes(node));
  const byNode = new Map(sessions.map((session) => [session.node, session]));
  return others.flatMap(({ name, podCIDRs }) => {
    const by = byNode.get(name) ?? reflector;
    const kind = selected?.includes(name) === false ? "may" : "must";
    return podCIDRs.flatMap((podCIDR) => [
      kind,
      podCIDR,
      name,
      by?.name ?? "-",
    ]);
  });
}

function readRoutes(
  routes: readonly Route[],
  podCIDRs: readonly string[],
  name: string,
): Answer {
  const wanted = new Set(podCIDRs);
  const others = routes.find(({ dst, protocol }) =>
    wanted.has(dst) && protocol !== birdProtocol
  );
  if (others !== undefined) {
    const { dst, gateway, dev, protocol } = others;
    return {
      is: "different",
      found: `${dst} is routed by ${gateway ?? dev ?? "no gateway"} ` +
        `(proto ${protocol ?? "unknown"}) on ${name}, not by bird`,
      remedy:
        `remove that route of ${name}'s (ip route del ${dst} there) if nothing ` +
        "needs it, and run this stage again",
      ...(protocol === routeProtocol ? { former: true } : {}),
    };
  }
  const there = new Set(routes.map(({ dst }) => dst));
  return podCIDRs.every((podCIDR) => there.has(podCIDR))
    ? { is: "present" }
    : { is: "absent" };
}
