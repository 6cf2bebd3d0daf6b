#!/usr/bin/env -S deno run -A
/**
 * Stage 08: tells every node which node owns which podCIDR, or the router of
 * the cloud that the nodes are in. Afterwards `ip route` shows a route for every
 * other node's podCIDR, or the cloud's route table one for each. Where a node
 * is on another segment, the route leads into a tunnel (VXLAN, RFC 7348). Or the
 * nodes tell each other, by BGP (RFC 4271).
 */
import { type Family, familyOf, ofFamily } from "../lib/net/cidr.ts";
import { birdInstalled } from "../lib/bgp/bird_package.ts";
import { birdSteps } from "../lib/bgp/steps.ts";
import { routesThere, routesToCome } from "../lib/bgp/routes_there.ts";
import { cloudRoutes } from "../lib/cloud/routes.ts";
import { nodeOf } from "../lib/cli/connect.ts";
import { main } from "../lib/cli/stage_script.ts";
import { cmd, type Command } from "../lib/exec/command.ts";
import { sessionsOf } from "../lib/cluster/bgp_sessions.ts";
import type { Cluster, ClusterNode } from "../lib/cluster/cluster.ts";
import {
  isTunnelled,
  tunnelMtu,
  tunnelOverhead,
  wayMtu,
} from "../lib/cluster/tunnels.ts";
import { oncePer } from "../lib/cluster/once.ts";
import type { VxlanSettings } from "../lib/cluster/schema_vxlan.ts";
import { routerBird, routerRoutes } from "../lib/lab/router_bird.ts";
import { mark } from "../lib/net/mark.ts";
import { tunnelAddress, tunnelLink, vtepMac } from "../lib/net/vxlan.ts";
import { kubernetesLines } from "../lib/kubernetes/remarks.ts";
import { routeByOwner } from "../lib/steps/route_by_owner.ts";
import { waysQuestion } from "../lib/steps/route_table.ts";
import {
  addressOn,
  birdProtocol,
  linkMarked,
  routeProtocol,
} from "../lib/steps/probes.ts";
import {
  forwardingEntryIs,
  neighbourIs,
  routeThroughTunnel,
} from "../lib/steps/vxlan_probes.ts";
import { tunnelIs, tunnelIsUp, tunnelMtuIs } from "../lib/steps/vxlan_link.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { beforeRoutesGo } from "../lib/kubernetes/undo_consent.ts";
import type { Plan, Step } from "../lib/stage/stage.ts";

/** The steps of all nodes about one of them, for each of them. */
type StepsAbout = ReadonlyMap<string, readonly Step[]>;

/**
 * What a node has to know of another that is on its segment. A step is the same
 * for all nodes, so that a plan for 1,000 nodes does not make a million of them,
 * and each asks for all there is, so that a node is asked once.
 */
const routesTo = oncePer(({ nodes }: Cluster): StepsAbout => {
  const ways = waysTo(nodes);
  return new Map(nodes.map((other, at) => [
    other.name,
    other.podCIDRs.map((podCIDR): Step => {
      const family = familyOf(podCIDR);
      const via = addressOf(other, family);
      const owner = { name: other.name, via };
      return {
        why: `Pods of ${other.name} are reached through ${other.name}`,
        independent: true,
        doneWhen: routeByOwner(podCIDR, owner, ways(family), at),
        run: cmd`ip route replace ${podCIDR} via ${via} proto ${routeProtocol}`,
        // Unlike del, flush has no objection where a reboot has been before it.
        undo: flush(podCIDR, via),
      };
    }),
  ]));
});

function addressOf(node: ClusterNode, family: Family): string {
  return ofFamily(node.addresses, family) ?? node.address;
}

/** Asks, by family, for the ways to these nodes: the same question for all steps. */
function waysTo(nodes: readonly ClusterNode[]): (family: Family) => Command {
  const questions = new Map<Family, Command>();
  return (family) => {
    const known = questions.get(family);
    if (known !== undefined) return known;
    const question = waysQuestion(
      family,
      nodes.map((node) => addressOf(node, family)),
    );
    questions.set(family, question);
    return question;
  };
}

function flush(podCIDR: string, via: string): Command {
  const route = [podCIDR, "via", via, "proto", routeProtocol];
  return cmd`ip -${familyOf(podCIDR)} route flush exact ${route}`;
}

/** A reboot takes the link along, and with it all that this would take back. */
function whereLinked({ argv }: Command): Command {
  const script = `[ ! -e /sys/class/net/${tunnelLink} ] || "$@"`;
  return { ...cmd`sh -c ${script} undo ${argv}`, label: argv.join(" ") };
}

/** A node's own end of all its tunnels. */
function tunnelEnd({ node, cluster }: Plan, vxlan: VxlanSettings): Step[] {
  const { vni, port } = vxlan;
  const local = node.vtep ?? node.address;
  const mac = vtepMac(node.name);
  const mtu = tunnelMtu(cluster) ?? 0;
  const end = { vni, port, local, mac };
  const as = ["id", `${vni}`, "dstport", `${port}`, "local", local];
  return [
    {
      why: "A VXLAN link sends frames to other nodes inside of UDP packets, " +
        "which any router forwards; nolearning: where each MAC is, is told below",
      holds: tunnelLink,
      doneWhen: tunnelIs(end),
      run:
        cmd`ip link add ${tunnelLink} address ${mac} type vxlan ${as} nolearning`,
      undo: whereLinked(cmd`ip link del ${tunnelLink}`),
    },
    {
      why: "The alias marks the link as ours; one without it is never touched",
      heldBy: tunnelLink,
      doneWhen: linkMarked(tunnelLink),
      run: cmd`ip link set ${tunnelLink} alias ${mark}`,
    },
    {
      why: `A way that takes ${wayMtu(cluster)} bytes has room for ${mtu}: ` +
        `the tunnel's own headers are ${tunnelOverhead(local)}`,
      heldBy: tunnelLink,
      doneWhen: tunnelMtuIs(mtu),
      run: cmd`ip link set ${tunnelLink} mtu ${mtu}`,
    },
    ...node.podCIDRs.map((podCIDR): Step => {
      const own = tunnelAddress(podCIDR);
      const address = `${own}/${familyOf(own) === 4 ? 32 : 128}`;
      return {
        why:
          "What other nodes know this end by; what this node sends to their pods " +
          "comes from it, so that the answer takes the tunnel, too",
        heldBy: tunnelLink,
        doneWhen: addressOn(tunnelLink, address),
        run: cmd`ip addr add ${address} dev ${tunnelLink} ${
          own.includes(":") ? ["nodad"] : []
        }`,
        undo: whereLinked(cmd`ip addr del ${address} dev ${tunnelLink}`),
      };
    }),
    {
      why: "A link carries nothing until it is up",
      heldBy: tunnelLink,
      doneWhen: tunnelIsUp(end),
      run: cmd`ip link set ${tunnelLink} up`,
    },
  ];
}

/** What a node has to know of another at the far end of a tunnel. */
interface TunnelTo {
  readonly entry: Step;
  readonly neighbours: readonly Step[];
  readonly routes: readonly Step[];
}

/** The same for all nodes, too. */
const tunnelTo = oncePer((other: ClusterNode): TunnelTo => {
  const mac = vtepMac(other.name);
  const address = other.vtep ?? other.address;
  const ends = other.podCIDRs.map((podCIDR) => ({
    podCIDR,
    end: tunnelAddress(podCIDR),
  }));
  return {
    entry: {
      why: `Frames for the MAC of ${other.name} go to ${address}`,
      independent: true,
      heldBy: tunnelLink,
      doneWhen: forwardingEntryIs(mac, address),
      run: cmd`bridge fdb replace ${mac} dev ${tunnelLink} dst ${address}`,
      undo: whereLinked(cmd`bridge fdb del ${mac} dev ${tunnelLink}`),
    },
    neighbours: ends.map(({ end }): Step => ({
      why: `The MAC of ${other.name}'s end, which nobody has to ask for`,
      independent: true,
      heldBy: tunnelLink,
      doneWhen: neighbourIs(end, mac),
      run:
        cmd`ip neigh replace ${end} lladdr ${mac} dev ${tunnelLink} nud permanent`,
      undo: whereLinked(cmd`ip neigh del ${end} dev ${tunnelLink}`),
    })),
    routes: ends.map(({ podCIDR, end }): Step => ({
      why: `Pods of ${other.name} are reached through the tunnel to it`,
      independent: true,
      heldBy: tunnelLink,
      doneWhen: routeThroughTunnel(podCIDR, end),
      run:
        cmd`ip route replace ${podCIDR} via ${end} dev ${tunnelLink} onlink proto ${routeProtocol}`,
      undo: flush(podCIDR, end),
    })),
  };
});

/** Steps of one program stand together, so that it is started once for all of them. */
function tunnelsTo(others: readonly ClusterNode[]): Step[] {
  const tunnels = others.map(tunnelTo);
  return [
    ...tunnels.map(({ entry }) => entry),
    ...tunnels.flatMap(({ neighbours }) => neighbours),
    ...tunnels.flatMap(({ routes }) => routes),
  ];
}

/** Those of routesTo() about these. */
function routesBy(
  cluster: Cluster,
  others: readonly ClusterNode[],
): readonly Step[] {
  const about = routesTo(cluster);
  return others.flatMap(({ name }) => about.get(name) ?? []);
}

function steps(plan: Plan): readonly Step[] {
  const { node, cluster } = plan;
  const { vxlan } = cluster;
  if (cluster.routes === "bgp") return birdSteps(cluster, node);
  const others = cluster.nodes.filter(({ name }) => name !== node.name);
  if (cluster.routes === "host") return routesBy(cluster, others);
  if (vxlan === undefined) return [];
  const { far = [], near = [] } = Object.groupBy(
    others,
    (other) => isTunnelled(cluster, node, other) ? "far" : "near",
  );
  return [
    ...tunnelEnd(plan, vxlan),
    ...tunnelsTo(far),
    ...routesBy(cluster, near),
  ];
}

/** What others than the nodes have to know, and what is waited for. */
function operatorSteps(
  cluster: Cluster,
  selected?: readonly string[],
): Step[] {
  if (cluster.routes !== "bgp") return cloudRoutes(cluster);
  return [
    ...routerBird(cluster),
    ...routerRoutes(cluster, selected),
    ...cluster.nodes.map((node) =>
      routesThere(cluster, {
        name: node.name,
        sessions: () => sessionsOf(cluster, node),
        enter: (command) => nodeOf(cluster, node.name).enter(command),
      }, selected)
    ),
  ];
}

export const routes = alsoAtBoot({
  name: "08-routes",
  summary:
    "tell every node, or the cloud's router, which node owns which podCIDR",
  afterwards: ({ clusterCIDRs: [first = ""], routes }) =>
    routes !== "host" && routes !== "vxlan" && routes !== "bgp" ? undefined : {
      on: "node",
      run: cmd`ip ${first.includes(":") ? ["-6"] : []} route show proto ${
        routes === "bgp" ? birdProtocol : routeProtocol
      }`,
    },
  needsPodCIDRs: true,
  operator: { steps: operatorSteps, last: ({ routes }) => routes === "bgp" },
  followUp: {
    report: async (cluster, nodeOf, options, selected) =>
      [
        ...await kubernetesLines(cluster, nodeOf, options),
        ...await routesToCome(
          cluster,
          selected,
          (name, command) => nodeOf(name).run(command, options),
        ),
      ].join("\n"),
    afterUndo: () => [],
  },
  beforeUndo: beforeRoutesGo,
  steps,
  // apt-get may take long, or fail: by then the other routes are there.
  instead: ({ cluster }) =>
    cluster.routes === "bgp" ? [] : [birdInstalled(cluster)],
}, ({ routes }) => routes !== "bgp");

if (import.meta.main) await main(routes);
