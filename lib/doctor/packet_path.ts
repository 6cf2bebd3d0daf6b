/** The doctor's check of what lies on the kernel's packet path beside the stages' own. Pure. */
import { findObstacles } from "../diagnosis/kernel_path/obstacles.ts";
import { flowsBetween } from "../diagnosis/kernel_path/obstacle_cause.ts";
import type { Obstacle } from "../diagnosis/kernel_path/obstacle.ts";
import {
  readSurvey,
  type Space,
  surveyOfPod,
  surveyQuestion,
} from "../diagnosis/kernel_path/survey.ts";
import type { Remedy } from "../diagnosis/remedy.ts";
import { familyOf } from "../net/cidr.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  type OneFamily,
  unclear,
} from "./check.ts";

/** The namespaces of a node: its own, then its pods'. */
function spacesOf({ node, host }: CheckContext): readonly Space[] {
  return [
    { node: node.name },
    ...host.pods.map(({ name }) => (
      { node: node.name, pod: { name, sandbox: `/run/netns/${name}` } }
    )),
  ];
}

export const packetPath: Check = {
  name: "packet-path",
  well: "nothing else on the kernel's packet path loses what pods send or get",
  asks: (context) =>
    spacesOf(context).map(({ pod }) =>
      pod === undefined ? surveyQuestion : surveyOfPod(pod.sandbox)
    ),
  read(context, answers) {
    const surveys = spacesOf(context).map((space, at) => {
      const asked = answers[at];
      return asked === undefined ? undefined : readSurvey(space, asked.outcome);
    });
    const [own] = surveys;
    if (own === undefined) {
      return [unclear("what lies on the kernel's packet path", answers[0])];
    }
    const read = surveys.filter((survey) => survey !== undefined);
    const found = byFamily(context).flatMap((one) =>
      findObstacles(
        read,
        one.cluster,
        flowsOf(context, one),
        ownersIn(context),
      ).filter((obstacle) => !isToldElsewhere(obstacle))
    );
    const distinct = Map.groupBy(found, ({ what }) => what);
    return [...distinct].flatMap(([what, same]): readonly Finding[] => {
      const [first] = same;
      if (first === undefined) return [];
      return [{
        is: first.is === "loses" ? "fault" : "warning",
        what,
        evidence: first.evidence,
        remedies: distinctRemedies(same),
      }];
    });
  },
};

/** What is in the way of both families is mended for both. */
function distinctRemedies(found: readonly Obstacle[]): readonly Remedy[] {
  return [
    ...new Map(
      found.flatMap(({ remedies }) => remedies)
        .map((remedy) => [JSON.stringify(remedy), remedy]),
    ).values(),
  ];
}

/** What other checks tell of: policies at the hook forward, and routes into the pod network. */
function isToldElsewhere({ kind, space, what }: Obstacle): boolean {
  return space.pod === undefined &&
    ((kind === "nft-forward" && what.startsWith("the policy ")) ||
      (kind === "route" && / pods of /.test(what) &&
        !what.includes(" into a tunnel")));
}

/** As many pods of each other node are asked about: a route may be for one of them. */
const few = 4;

/** Of the node's own pods and of itself, with pods and nodes elsewhere and with the outside. */
function flowsOf(
  { host, nodes, node: { name } }: CheckContext,
  { family, cluster, node }: OneFamily,
) {
  const ofFamily = (address: string) => familyOf(address) === family;
  const podsOf = (pods: typeof host.pods) =>
    pods.flatMap(({ addresses }) =>
      addresses.map(({ address }) => address).filter(ofFamily)
    );
  const pods = podsOf(host.pods);
  const others = nodes.filter((other) => other.name !== name);
  const farPods = others.flatMap(({ host }) =>
    host.is === "read" ? [podsOf(host.pods).slice(0, few)] : []
  );
  const oneEach = farPods.flatMap((pods) => pods.slice(0, 1));
  const farNodes = cluster.nodes.filter((other) => other.name !== name)
    .map(({ address }) => address);
  const outside = cluster.outside.address;
  const between = [
    ...pods.flatMap((pod) =>
      [...oneEach, ...pods.slice(0, 2), ...farNodes.slice(0, 1), outside]
        .map((other) => [pod, other] as const)
    ),
    // A firewall may tell apart who begins.
    ...pods.flatMap((pod) =>
      [node.address, ...farNodes.slice(0, 1), ...oneEach.slice(0, 1)]
        .map((other) => [other, pod] as const)
    ),
    ...[...farNodes, ...farPods.flat(), outside]
      .map((other) => [node.address, other] as const),
  ];
  return between.flatMap(([source, destination]) => {
    const { there, back } = flowsBetween([source], destination);
    return [...there, ...back];
  });
}

/** Whose link-layer addresses the inventory knows. */
function ownersIn({ nodes }: CheckContext): ReadonlyMap<string, string> {
  return new Map(nodes.flatMap(({ host }) =>
    host.is !== "read" ? [] : [
      ...host.links,
      ...host.pods.flatMap(({ links }) => links),
    ].filter(({ name }) => name !== "lo").flatMap(({ mac, addresses }) =>
      mac === undefined
        ? []
        : addresses.map(({ address }): [string, string] => [address, mac])
    )
  ));
}
