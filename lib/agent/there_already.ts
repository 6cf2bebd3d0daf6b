/**
 * What the kernel has of stage 08's routes: a node of a large cluster is asked one
 * question a family in place of three a route.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type RunOptions, show, succeeded } from "../exec/command.ts";
import { containsAddress, parseCidr } from "../net/cidr.ts";
import { parseIpList } from "../net/ip_json.ts";
import { tunnelLink } from "../net/vxlan.ts";
import type { Node } from "../node/node.ts";
import type { Answer, Step } from "../stage/stage.ts";
import { routeProtocol } from "../steps/probes.ts";

/** As `ip -j route` gives a route (ip-route(8)). */
interface KernelRoute {
  readonly dst: string;
  readonly gateway?: string;
  readonly dev?: string;
  readonly protocol?: string;
  readonly flags?: readonly string[];
}

/** What is known of a step without its probe; undefined for one that has to be asked. */
type KnownAnswers = (step: Step) => Answer | undefined;

/**
 * Asks the kernel for all routes.
 *
 * @throws {UnreachableError}
 */
export async function thereAlready(
  node: Node,
  cluster: Cluster,
  options: RunOptions,
): Promise<KnownAnswers> {
  const routes: KernelRoute[] = [];
  for (const family of ["-4", "-6"]) {
    const outcome = await node.run(
      cmd`ip ${family} -j route show table main`,
      options,
    );
    const shown = succeeded(outcome)
      ? parseIpList<KernelRoute>(outcome.stdout)
      : undefined;
    // A kernel without IPv6 has no such routes.
    if (shown === undefined && family === "-4") return () => undefined;
    routes.push(...shown ?? []);
  }
  return knownAnswers(routes, cluster.segments?.[0]?.cidrs ?? []);
}

/**
 * What these routes say of the steps that make routes.
 *
 * @param segment the subnets that the node is connected to: a gateway in one of them
 * needs no other
 */
export function knownAnswers(
  routes: readonly KernelRoute[],
  segment: readonly string[],
): KnownAnswers {
  const byDestination = Map.groupBy(routes, ({ dst }) => dst);
  const there = new Set([...byDestination.values()].flatMap(commandOf));
  const near = segment.map(parseCidr);
  return ({ run }) => {
    if ("copy" in run) return undefined;
    const [, route, , to = "", , via = "", ...rest] = run.argv;
    if (route !== "route") return undefined;
    if (there.has(show(run))) return { is: "present", ours: true };
    const isPlain = rest[0] === "proto";
    return isPlain && !byDestination.has(to) &&
        near.some((cidr) => containsAddress(cidr, via))
      ? { is: "absent" }
      : undefined;
  };
}

/** A route of ours, the only one to where it leads, as the command that makes it. */
function commandOf(
  [route, ...more]: readonly KernelRoute[],
): readonly string[] {
  if (route?.gateway === undefined || more.length > 0) return [];
  const { dst, gateway, dev, protocol, flags = [] } = route;
  if (protocol !== routeProtocol) return [];
  const through = dev === tunnelLink ? ["dev", tunnelLink, "onlink"] : [];
  if (through.length > 0 && !flags.includes("onlink")) return [];
  return [
    show(
      cmd`ip route replace ${dst} via ${gateway} ${through} proto ${routeProtocol}`,
    ),
  ];
}
