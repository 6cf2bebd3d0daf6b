/**
 * The pods that live beside the test pods: test pods that were made after a trouble
 * say nothing of those that were there before it.
 */
import { someNames } from "../text/some_names.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { parseCidr } from "../net/cidr.ts";
import { type Host, inventory } from "../inventory/inventory.ts";
import {
  type HeldTwice,
  heldTwice,
  vethsWithoutLease,
} from "../inventory/pod_claims.ts";
import { fullPodName, podAddressesCommand, podsAnew } from "./pod_remedy.ts";
import type { InventoryLink } from "../net/ip_json.ts";
import { cmd, type RunOptions, show } from "../exec/command.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { onNode } from "../diagnosis/remedy.ts";
import {
  type CutOff,
  cutOff,
  plugIn,
  podBehind,
  wantsHairpin,
} from "../inventory/pod_veths.ts";
import { ownerOf } from "../../plugin/veth.ts";
import { podAttachment, podNames } from "./namespace_pods.ts";
import type { Site, Situation } from "./situation.ts";

/** A node some of whose pods are not as they should be, in one way. */
export interface OthersTried {
  readonly node: string;
  readonly trouble: "cut off" | "address held twice" | "no lease";
  /** How many pods, or addresses. */
  readonly count: number;
  readonly cause: Cause;
}

/**
 * The nodes with pods whose host veths carry nothing to the bridge, that share an
 * address, or that have no lease of theirs.
 *
 * @throws {UnreachableError}
 */
export async function tryOthers(
  situation: Situation,
  selected: readonly string[],
  options: RunOptions,
): Promise<readonly OthersTried[]> {
  const { sites, cluster } = situation;
  const asked = [...sites.values()]
    .filter(({ node }) => selected.includes(node.name));
  const cut = asked.flatMap((site) => tryPlugged(site, cluster.bridge));
  const first = await claimTroubles(situation, asked, options);
  if (first.length === 0) return cut;
  // Links, leases and pods are read in turn, and a pod may end meanwhile.
  const again = new Set(
    (await claimTroubles(situation, asked, options)).map(keyOf),
  );
  return [...cut, ...first.filter((one) => again.has(keyOf(one)))];
}

const keyOf = ({ cause: { on, what } }: OthersTried) => `${on} ${what}`;

function tryPlugged(site: Site, bridge: string): readonly OthersTried[] {
  const cut = cutOff(site.survey.links, bridge)
    .filter(({ link }) => isOthers(link));
  if (cut.length === 0) return [];
  const node = site.node.name;
  const cause = causeOf(site, cut, bridge);
  return [{ node, trouble: "cut off", count: cut.length, cause }];
}

/** What the pods of nodes hold, and should not or not alone. */
async function claimTroubles(
  { cluster, sites }: Situation,
  asked: readonly Site[],
  options: RunOptions,
): Promise<readonly OthersTried[]> {
  const nodeOf = (name: string) => {
    const site = sites.get(name);
    if (site === undefined) throw new TypeError(`${name} was not asked`);
    return site.runner;
  };
  const nodes = asked.map(({ node }) => node);
  const reach = { nodeOf, outside: undefined };
  const seen = await inventory({ ...cluster, nodes }, reach, options);
  return seen.nodes.flatMap(({ name, host }) =>
    host.is === "read" ? podTroubles(host, name, cluster) : []
  );
}

/** The same of what a node said. */
export function podTroubles(
  host: Host,
  node: string,
  cluster: Cluster,
): readonly OthersTried[] {
  const twice = heldTwice(host, cluster.clusterCIDRs.map(parseCidr));
  return [
    ...(twice.length === 0 ? [] : [twinsOf(node, twice, cluster)]),
    ...leaseless(host, node, cluster),
  ];
}

function twinsOf(
  node: string,
  twice: readonly HeldTwice[],
  cluster: Cluster,
): OthersTried {
  const said = twice.map(({ address, pods }) =>
    `${address} by ${pods.map(fullPodName).join(" and ")}`
  );
  const [first] = twice;
  const cause: Cause = {
    kind: "duplicate-address",
    on: node,
    what: `pods of ${node} hold ${
      twice.length === 1 ? "one address" : `${twice.length} addresses`
    } twice: ${someNames(said)}`,
    evidence: (first?.pods ?? []).map((pod) => ({
      where: node,
      command: show(podAddressesCommand(pod)),
      printed: pod.links.map(({ name, addresses }) =>
        `${name} ${
          addresses.map(({ address, prefixLength }) =>
            `${address}/${prefixLength}`
          ).join(" ")
        }`
      ).join("\n"),
    })),
    remedies: podsAnew(cluster, node, twice.flatMap(({ surplus }) => surplus)),
  };
  return { node, trouble: "address held twice", count: twice.length, cause };
}

function leaseless(
  host: Host,
  node: string,
  cluster: Cluster,
): readonly OthersTried[] {
  const bare = vethsWithoutLease(host).filter(isOthers);
  if (bare.length === 0) return [];
  const pods = bare.map((link) => ({
    link,
    pod: host.pods.find(({ hostLink }) => hostLink?.name === link.name),
  }));
  const names = pods.map(({ link, pod }) =>
    pod === undefined ? podBehind(link, host) : fullPodName(pod)
  );
  const cause: Cause = {
    kind: "lease",
    on: node,
    what: `${
      bare.length === 1 ? "a pod has" : `${bare.length} pods have`
    } no lease on ${node}, where addresses are taken by leases: ${
      someNames(names)
    }`,
    evidence: bare.slice(0, few).map(({ name, alias = "" }) => ({
      where: node,
      command: show(cmd`ip link show dev ${name}`),
      printed: `alias ${alias}`,
    })),
    remedies: podsAnew(
      cluster,
      node,
      pods.flatMap(({ pod }) => pod ?? []),
      pods.flatMap(({ link, pod }) =>
        pod === undefined ? podBehind(link, host) : []
      ),
    ),
  };
  return [{ node, trouble: "no lease", count: bare.length, cause }];
}

const own = new Set(podNames.map((pod) => podAttachment(pod).containerId));

/** Of the test pods it is seen by their paths, and by CHECK. */
function isOthers({ alias = "" }: InventoryLink): boolean {
  return !own.has(ownerOf(alias)?.containerID ?? "");
}

/** As many links are shown. */
const few = 3;

function causeOf(
  { node: { name }, survey }: Site,
  cut: readonly CutOff[],
  bridge: string,
): Cause {
  const names = cut.map(({ link }) => podBehind(link, { pods: [] }));
  const pods = cut.length === 1 ? "a pod is" : `${cut.length} pods are`;
  const shown = cut.slice(0, few).map(({ link: { name, alias, ...link } }) =>
    JSON.stringify({ name, alias, master: link.master, up: link.up })
  );
  return {
    kind: "pod-link",
    on: name,
    what: `${pods} cut off on ${name}, for the host veth is up and a port of ` +
      `${bridge} no more: ${someNames(names)}`,
    evidence: [{
      where: name,
      command: show(cmd`ip -j -d addr show`),
      printed: [
        ...shown,
        ...(cut.length > few ? [`… ${cut.length - few} links more`] : []),
      ].join("\n"),
    }],
    remedies: [onNode(name, plugIn(cut, bridge, wantsHairpin(survey)))],
  };
}
