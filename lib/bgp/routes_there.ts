/** Whether what the other nodes announce has come to a node. */
import { familyOf } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd, type Command, succeeded } from "../exec/command.ts";
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

/**
 * The step, for the operator's machine, that waits for a node's routes.
 *
 * @param enter gives the command that, run there, runs another on the node
 */
export function routesThere(
  cluster: Cluster,
  node: ClusterNode,
  enter: (command: Command) => Command,
): Step {
  const others = cluster.nodes.filter(({ name }) => name !== node.name);
  const podCIDRs = others.flatMap((other) => other.podCIDRs);
  const families = cluster.clusterCIDRs.map(familyOf);
  const script = families.map((family) => `ip -${family} -j route show`).join(
    " && echo && ",
  );
  return {
    key: `routes of ${node.name}`,
    node: node.name,
    independent: true,
    heldBy: bgpRoutes,
    why: `What the others announce has come to ${node.name}, and its kernel ` +
      "has the routes",
    doneWhen: {
      ask: { ...enter(cmd`sh -c ${script}`) },
      read(outcome): Answer {
        const lists = outcome.stdout.trim().split(/\n+/)
          .map((line) => parseIpList<Route>(line));
        if (!succeeded(outcome) || lists.includes(undefined)) {
          return unknown(outcome, `the routes of ${node.name}`);
        }
        return readRoutes(lists.flatMap((list) => list ?? []), podCIDRs, node);
      },
    },
    get run() {
      return {
        ...enter(
          cmd`sh -c ${program} wait ${patience_s} ${podCIDRs}`,
        ),
        label: `wait on ${node.name} until ip route show proto bird has ` +
          `${podCIDRs.length} podCIDRs`,
      };
    },
    timeout_ms: (patience_s + 30) * 1000,
  };
}

function readRoutes(
  routes: readonly Route[],
  podCIDRs: readonly string[],
  { name }: ClusterNode,
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
