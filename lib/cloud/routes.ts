/** Stage 08 where a cloud's router keeps the routes to the nodes' podCIDRs. */
import { awsOf } from "./aws.ts";
import { awsUnknown } from "./aws_answers.ts";
import {
  cloudLimit_ms,
  condition,
  deleteIfPresent,
  readJson,
} from "./machines.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import {
  descriptionOf,
  existsInGcp,
  gcloud,
  gcpOf,
  gcpUnknown,
} from "./gcp_answers.ts";
import { instanceName } from "../cluster/found_machines.ts";
import type { Answer, Probe, Step } from "../stage/stage.ts";

const here = import.meta.dirname;
const routeScript = `${here}/aws_create_route.sh`;
const awsLimitScript = `${here}/aws_route_quota.sh`;
const gcpLimitScript = `${here}/gcp_route_quota.sh`;

/**
 * The steps that tell the cloud's router;
 * none where the nodes keep their routes themselves.
 * Pure.
 */
export function cloudRoutes(cluster: Cluster): Step[] {
  switch (cluster.routes) {
    case "host":
    case "vxlan":
    case "bgp":
      return [];
    case "aws":
      return awsRoutes(cluster);
    case "gcp":
      return gcpRoutes(cluster);
  }
}

interface Owned {
  readonly podCIDR: string;
  readonly node: string;
  readonly address: string;
  /** The interface that packets to it go to (AWS); absent until 01 has made it. */
  readonly interfaceId: string | undefined;
}

/** Every podCIDR with its owner. */
function ownedBy(cluster: Cluster): Owned[] {
  return cluster.nodes.flatMap(({ name, address, podCIDRs, machine }) =>
    podCIDRs.map((podCIDR) => ({
      podCIDR,
      node: name,
      address,
      interfaceId: machine?.interfaceId,
    }))
  );
}

function awsRoutes(cluster: Cluster): Step[] {
  const { region } = awsOf(cluster);
  // A plan is also made before 01 has run.
  const table = cluster.routeTableId ?? "ROUTE-TABLE";
  const owned = ownedBy(cluster);
  const ask =
    cmd`aws ec2 describe-route-tables --region ${region} --route-table-ids ${table} --output json`;
  const at = cmd`--region ${region} --route-table-id ${table}`.argv;
  const ours = new Set(owned.map(({ interfaceId }) => interfaceId));
  return [
    awsLimit(cluster, owned.map(({ podCIDR }) => podCIDR)),
    ...owned.map(({ podCIDR, node, interfaceId }): Step => {
      const route = cmd`${at} --destination-cidr-block ${podCIDR}`.argv;
      const to = interfaceId ?? `INTERFACE-OF-${node}`;
      const whole = cmd`${route} --network-interface-id ${to}`.argv;
      return {
        why: `AWS hands packets for the pods of ${node} to its interface`,
        key: `the route to ${podCIDR}`,
        node: node,
        doneWhen: interfaceId === undefined
          ? { ask, read: () => notMade(node) }
          : awsRouteIs(ask, podCIDR, interfaceId, ours),
        run: {
          ...cmd`sh ${routeScript} ${whole}`,
          label: `aws ec2 create-route ${whole.join(" ")}`,
        },
        undo: deleteIfPresent(".NotFound", cmd`aws ec2 delete-route ${route}`),
        timeout_ms: cloudLimit_ms,
      };
    }),
  ];
}

interface AwsRoute {
  readonly DestinationCidrBlock?: string;
  readonly NetworkInterfaceId?: string;
  readonly GatewayId?: string;
  readonly State?: string;
  readonly Origin?: string;
}

function routesOf(text: string): readonly AwsRoute[] | undefined {
  const said = readJson(text) as
    | { RouteTables?: { Routes?: AwsRoute[] }[] }
    | undefined;
  return said?.RouteTables?.[0]?.Routes;
}

/**
 * The quota "Routes per route table" of the service vpc, which holds for each
 * family by itself and does not count propagated routes:
 * https://docs.aws.amazon.com/vpc/latest/userguide/amazon-vpc-limits.html
 */
const routesQuota = "L-93826ACB";

/** Will the routes fit? Asked of Service Quotas, since it can be raised. */
function awsLimit(cluster: Cluster, wanted: readonly string[]): Step {
  const { region } = awsOf(cluster);
  const { routeTableId } = cluster;
  return condition(
    "A route table holds only so many routes, and AWS knows how many",
    cmd`sh ${awsLimitScript} ${region} ${
      routeTableId ?? "ROUTE-TABLE"
    } ${routesQuota}`,
    (outcome) =>
      routeTableId === undefined
        ? notMade("any node")
        : readLimit(outcome, wanted),
  );
}

function notMade(node: string): Answer {
  return {
    is: "unknown",
    reason: `no machine is known for ${node}: run 01-provision`,
  };
}

/** The quota in the first line, then the route table. */
function readLimit(outcome: Outcome, wanted: readonly string[]): Answer {
  const [line = "", ...rest] = outcome.stdout.split("\n");
  const limit = Number(line);
  const routes = routesOf(rest.join("\n"));
  if (!succeeded(outcome) || !(limit > 0) || routes === undefined) {
    return awsUnknown(outcome, "how many routes the table may hold");
  }
  const others =
    routes.filter(({ DestinationCidrBlock, ...route }) =>
      DestinationCidrBlock !== undefined && route.GatewayId !== "local" &&
      route.Origin !== "EnableVgwRoutePropagation" &&
      !wanted.includes(DestinationCidrBlock)
    ).length;
  const needed = wanted.length + others;
  if (needed <= limit) return { is: "present" };
  return {
    is: "different",
    found:
      `${wanted.length} podCIDRs and ${others} other routes make ${needed}, and AWS ` +
      `lets a route table hold ${limit}`,
    remedy:
      `ask AWS for more (aws service-quotas request-service-quota-increase ` +
      `--service-code vpc --quota-code ${routesQuota} --desired-value ${needed}), ` +
      "or let the nodes, which share a subnet, keep the routes: routes: host in the cluster file",
  };
}

/**
 * Does the route table lead packets for this podCIDR to this interface?
 * AWS has no room for our mark on a route.
 */
function awsRouteIs(
  ask: Command,
  podCIDR: string,
  interfaceId: string,
  ours: ReadonlySet<string | undefined>,
): Probe {
  return {
    ask,
    read(outcome) {
      const routes = routesOf(outcome.stdout);
      if (!succeeded(outcome) || routes === undefined) {
        return awsUnknown(outcome, `the route to ${podCIDR}`);
      }
      const route = routes.find(({ DestinationCidrBlock }) =>
        DestinationCidrBlock === podCIDR
      );
      if (route === undefined) return { is: "absent" };
      const { NetworkInterfaceId: to, State: state } = route;
      if (to === interfaceId && state !== "blackhole") return { is: "present" };
      // One that leads nowhere, or to another of our nodes, is turned.
      if (state === "blackhole" || (to !== undefined && ours.has(to))) {
        return { is: "absent" };
      }
      return {
        is: "different",
        found: `the route table leads ${podCIDR} to ${
          to ?? route.GatewayId ?? "something else"
        }, not to ${interfaceId}`,
        remedy:
          "remove that route if nothing needs it, and run this stage again",
      };
    },
  };
}

function gcpRoutes(cluster: Cluster): Step[] {
  const gcp = gcpOf(cluster);
  const owned = ownedBy(cluster);
  return [
    gcpLimit(cluster, owned.length),
    ...owned.map(({ podCIDR, node, address }): Step => {
      const name = instanceName(cluster.name, node);
      const routes = (...args: string[]) => gcloud(gcp, "routes", ...args);
      return {
        why: `GCP hands packets for the pods of ${node} to its machine`,
        node: node,
        doneWhen: gcpRouteIs(
          cluster,
          name,
          { podCIDR, address },
          routes("describe", name),
        ),
        run: routes(
          "create",
          name,
          `--network=${cluster.name}`,
          `--destination-range=${podCIDR}`,
          `--next-hop-address=${address}`,
          `--description=${descriptionOf(cluster)}`,
        ),
        undo: deleteIfPresent(
          `/${name}' was not found`,
          routes("delete", name),
        ),
        timeout_ms: 5 * 60_000,
      };
    }),
  ];
}

/**
 * Is there our route of this name, and does it lead where it should?
 * One that does not has been taken away by the time that the step runs.
 */
function gcpRouteIs(
  cluster: Cluster,
  name: string,
  { podCIDR, address }: Pick<Owned, "podCIDR" | "address">,
  describe: Command,
): Probe {
  const { ask, read } = existsInGcp(cluster, name, describe);
  return {
    ask,
    read(outcome) {
      const answer = read(outcome);
      if (answer.is !== "present") return answer;
      const { destRange, nextHopIp } = readJson(outcome.stdout) as {
        readonly destRange?: string;
        readonly nextHopIp?: string;
      };
      const leads = destRange === podCIDR && nextHopIp === address;
      return leads ? answer : { is: "absent" };
    },
  };
}

/** Will the routes fit? A project that does not tell has no such quota. */
function gcpLimit(cluster: Cluster, wanted: number): Step {
  const { project } = gcpOf(cluster);
  const whose = project === undefined ? [] : [`--project=${project}`];
  return condition(
    "A project has only so many routes, and GCP knows how many",
    cmd`sh ${gcpLimitScript} ${descriptionOf(cluster)} ${whose}`,
    (outcome) => {
      const said = /^([\d.]*),([\d.]*),(\d+)$/.exec(outcome.stdout.trim());
      if (!succeeded(outcome) || said === null) {
        return gcpUnknown(outcome, "how many routes the project may have");
      }
      const [limit = 0, used = 0, own = 0] = said.slice(1).map(Number);
      const needed = wanted + used - own;
      if (said[1] === "" || needed <= limit) return { is: "present" };
      return {
        is: "different",
        found: `${wanted} podCIDRs and ${
          used - own
        } other routes make ${needed}, and the project may have ${limit}`,
        remedy:
          'ask GCP for more (the quota "Routes" of the Compute Engine API), or give the ' +
          "cluster a project of its own: gcp.project in the cluster file",
      };
    },
  );
}
