#!/usr/bin/env -S deno run -A
/**
 * Stage 08: tells every node which node owns which podCIDR, or the router of
 * the cloud that the nodes are in. Afterwards `ip route` shows a route for every
 * other node's podCIDR, or the cloud's route table one for each. Where a node
 * is on another segment, the route leads into a tunnel (VXLAN, RFC 7348). Or the
 * nodes tell each other, by BGP (RFC 4271).
 */
import { familyOf, ofFamily } from "../lib/net/cidr.ts";
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
import type { VxlanSettings } from "../lib/cluster/schema_vxlan.ts";
import { routerBird, routerRoutes } from "../lib/lab/router_bird.ts";
import { mark } from "../lib/net/mark.ts";
import { tunnelAddress, tunnelLink, vtepMac } from "../lib/net/vxlan.ts";
import { kubernetesLines } from "../lib/kubernetes/remarks.ts";
import { routeByOwner } from "../lib/steps/route_by_owner.ts";
import {
  addressOn,
  birdProtocol,
  linkMarked,
  linkUp,
  routeProtocol,
} from "../lib/steps/probes.ts";
import {
  forwardingEntryIs,
  neighbourIs,
  routeThroughTunnel,
  tunnelIs,
  tunnelMtuIs,
} from "../lib/steps/vxlan_probes.ts";
import { alsoAtBoot } from "../lib/steps/boot_restore.ts";
import { beforeRoutesGo } from "../lib/kubernetes/undo_consent.ts";
import type { Plan, Step } from "../lib/stage/stage.ts";

/** What a node has to know of another that is on its segment. */
function routesTo(other: ClusterNode): Step[] {
  return other.podCIDRs.map((podCIDR): Step => {
    const family = familyOf(podCIDR);
    const via = ofFamily(other.addresses, family) ?? other.address;
    return {
      why: `Pods of ${other.name} are reached through ${other.name}`,
      independent: true,
      // Made when it is asked for: a plan for 1,000 nodes has a million steps.
      get doneWhen() {
        return routeByOwner(podCIDR, other.name, via);
      },
      run: cmd`ip route replace ${podCIDR} via ${via} proto ${routeProtocol}`,
      // Unlike del, flush has no objection where a reboot has been before it.
      get undo() {
        return flush(podCIDR, via);
      },
    };
  });
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
  const as = ["id", `${vni}`, "dstport", `${port}`, "local", local];
  return [
    {
      why: "A VXLAN link sends frames to other nodes inside of UDP packets, " +
        "which any router forwards; nolearning: where each MAC is, is told below",
      doneWhen: tunnelIs({ vni, port, local, mac }),
      run:
        cmd`ip link add ${tunnelLink} address ${mac} type vxlan ${as} nolearning`,
      undo: whereLinked(cmd`ip link del ${tunnelLink}`),
    },
    {
      why: "The alias marks the link as ours; one without it is never touched",
      doneWhen: linkMarked(tunnelLink),
      run: cmd`ip link set ${tunnelLink} alias ${mark}`,
    },
    {
      why: `A way that takes ${wayMtu(cluster)} bytes has room for ${mtu}: ` +
        `the tunnel's own headers are ${tunnelOverhead(local)}`,
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
        doneWhen: addressOn(tunnelLink, address),
        run: cmd`ip addr add ${address} dev ${tunnelLink} ${
          own.includes(":") ? ["nodad"] : []
        }`,
        undo: whereLinked(cmd`ip addr del ${address} dev ${tunnelLink}`),
      };
    }),
    {
      why: "A link carries nothing until it is up",
      doneWhen: linkUp(tunnelLink),
      run: cmd`ip link set ${tunnelLink} up`,
      undo: whereLinked(cmd`ip link set ${tunnelLink} down`),
    },
  ];
}

/** What a node has to know of another at the far end of a tunnel. */
function tunnelTo(other: ClusterNode): Step[] {
  const mac = vtepMac(other.name);
  const address = other.vtep ?? other.address;
  return [
    {
      why: `Frames for the MAC of ${other.name} go to ${address}`,
      independent: true,
      get doneWhen() {
        return forwardingEntryIs(mac, address);
      },
      run: cmd`bridge fdb replace ${mac} dev ${tunnelLink} dst ${address}`,
      get undo() {
        return whereLinked(cmd`bridge fdb del ${mac} dev ${tunnelLink}`);
      },
    },
    ...other.podCIDRs.flatMap((podCIDR): Step[] => {
      const end = tunnelAddress(podCIDR);
      const through = ["via", end, "dev", tunnelLink, "onlink"];
      return [
        {
          why: `The MAC of ${other.name}'s end, which nobody has to ask for`,
          independent: true,
          get doneWhen() {
            return neighbourIs(end, mac);
          },
          run:
            cmd`ip neigh replace ${end} lladdr ${mac} dev ${tunnelLink} nud permanent`,
          get undo() {
            return whereLinked(cmd`ip neigh del ${end} dev ${tunnelLink}`);
          },
        },
        {
          why: `Pods of ${other.name} are reached through the tunnel to it`,
          independent: true,
          get doneWhen() {
            return routeThroughTunnel(podCIDR, end);
          },
          run:
            cmd`ip route replace ${podCIDR} ${through} proto ${routeProtocol}`,
          get undo() {
            return flush(podCIDR, end);
          },
        },
      ];
    }),
  ];
}

function steps(plan: Plan): Step[] {
  const { node, cluster } = plan;
  const { vxlan } = cluster;
  if (cluster.routes === "bgp") return birdSteps(cluster, node);
  const others = cluster.nodes.filter(({ name }) => name !== node.name);
  if (cluster.routes === "host") return others.flatMap(routesTo);
  if (vxlan === undefined) return [];
  return [
    ...tunnelEnd(plan, vxlan),
    ...others.flatMap((other) =>
      isTunnelled(cluster, node, other) ? tunnelTo(other) : routesTo(other)
    ),
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
}, ({ routes }) => routes !== "bgp");

if (import.meta.main) await main(routes);
