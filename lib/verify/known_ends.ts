/** What is known of the ends of paths: the addresses of nodes and pods. Pure. */
import { familyOf, ofFamily } from "../net/cidr.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { isUp, type KubernetesPod } from "../kubernetes/kubectl.ts";
import type { AddResult } from "../cni/runtime.ts";
import { podsWaitFor } from "./expected.ts";
import { podName } from "./kubernetes_pods.ts";
import { gatewayAddress } from "./matrix.ts";
import { caller, type PodName, podNames, server } from "./namespace_pods.ts";
import { type Site, type Situation, workerSites } from "./situation.ts";
import type { Prepared } from "./start_pods.ts";
import type { Known } from "./try_paths.ts";

/**
 * What is known once pods were started.
 *
 * @param situation of one family (situationIn())
 * @param prepared the workers on which pods were started or found
 */
export function knownOf(
  situation: Situation,
  prepared: readonly Prepared[],
): Known {
  const results = new Map<string, Map<PodName, AddResult>>();
  const [family] = familiesOf(situation.cluster);
  const keep = (node: string, pod: PodName, result: AddResult) => {
    const address = family && ofFamily(result.addresses, family);
    if (address === undefined) return; // Made before the cluster had the family.
    const own = results.get(node) ?? new Map<PodName, AddResult>();
    results.set(node, own.set(pod, { ...result, address }));
  };
  // Pods of nodes that were not selected take part as they are.
  for (const site of workerSites(situation)) {
    const { node: { name } } = site;
    if (podsWaitFor(situation.progress, name) !== undefined) continue;
    for (const pod of podNames) {
      const result = running(pod, site, situation);
      if (result !== undefined) keep(name, pod, result);
    }
  }
  for (const { site: { node }, pods } of prepared) {
    for (const pod of podNames) {
      const outcome = pods[pod];
      if (outcome.is === "there") keep(node.name, pod, outcome.result);
    }
  }
  const addressesOfPod = (pod: PodName) =>
    new Map(
      [...results].flatMap(([node, pods]) => {
        const result = pods.get(pod);
        return result === undefined ? [] : [[node, result.address] as const];
      }),
    );
  const { nodes } = situation.cluster;
  return {
    results,
    callers: addressesOfPod(caller),
    servers: addressesOfPod(server),
    nodes: new Map(nodes.map(({ name, address }) => [name, address])),
    held: new Map(
      [...situation.sites].map(([name, { survey }]) => [
        name,
        survey.addresses.filter((address) => familyOf(address) === family),
      ]),
    ),
    gateways: new Map(
      nodes.flatMap((node) => {
        const address = gatewayAddress(node);
        return address === undefined ? [] : [[node.name, address] as const];
      }),
    ),
  };
}

/** What ADD gave a pod that is there already; undefined where it is not. */
export function running(
  pod: PodName,
  { node, survey }: Site,
  { kubernetes }: Situation,
): AddResult | undefined {
  if (kubernetes !== undefined) {
    const seen = kubernetes.seen.pods.get(podName(pod, node.name));
    return isUp(seen) ? resultOf(seen) : undefined;
  }
  const state = survey.pods[pod];
  return state.is === "running" ? state.result : undefined;
}

/** What is known of the ADD of a pod of Kubernetes without asking its node: the addresses. */
export function resultOf({ addresses }: KubernetesPod): AddResult {
  return { address: addresses[0] ?? "", addresses, hostLinks: [], whole: {} };
}
