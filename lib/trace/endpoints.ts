/** The ends of a path, and the places to listen at. Pure. */
import {
  addressOrUndefined,
  contains,
  parseSubnet,
} from "../../plugin/address/address.ts";
import { type Family, familyOf, ofFamily } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { printable } from "../text/printable.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { outsideName } from "../lab/names.ts";
import { ifname } from "../cni/runtime.ts";
import { makeLine } from "../cluster/make_line.ts";
import { ownNamespace } from "./nft_monitor.ts";
import type { Pod, SurveyedLink, SurveyedMachine } from "./machine_survey.ts";

/** An end of a path that cannot be one, with what was expected. */
export class EndError extends Error {
  override readonly name = "EndError";
}

/** What the user named: worker-1/shell, worker-1, outside, or an address. */
export type Named =
  | { readonly is: "pod"; readonly node: string; readonly pod: string }
  | { readonly is: "node"; readonly node: string }
  | { readonly is: "outside" }
  | { readonly is: "address"; readonly address: string };

/** Loopback, unspecified, link-local, multicast, broadcast (RFC 6890). */
const noOnes = /^(0|127|169\.254|22[4-9]|23\d|255)\.|^(::1?|fe[89ab].*|ff.*)$/i;

/**
 * Reads a name of an end.
 *
 * @param flag as the user knows it, for the message
 * @throws {EndError}
 */
export function parseEnd(text: string, flag: string, cluster: Cluster): Named {
  const names = cluster.nodes.map(({ name }) => name);
  const [node = "", pod, ...more] = text.split("/");
  if (names.includes(node) && more.length === 0) {
    if (pod === undefined) return { is: "node", node };
    if (/^[\w.-]+$/.test(pod)) return { is: "pod", node, pod };
  }
  if (text === outsideName) return { is: "outside" };
  if (flag === "--to" && addressOrUndefined(text) !== undefined) {
    if (noOnes.test(text)) {
      throw new EndError(
        `${flag} ${text}: no packet goes to one other machine by it; name the address of one`,
      );
    }
    return { is: "address", address: text };
  }
  throw new EndError(
    `${flag} ${text}: expected a pod as NODE/POD, e.g. ${
      names.at(-1)
    }/web, or a node${
      flag === "--to" ? ", an address" : ""
    }, or ${outsideName}; the nodes of ${cluster.file} are ${names.join(", ")}`,
  );
}

/**
 * The family to trace in: the one that was asked for, that of the address that
 * was named, or the cluster's first.
 *
 * @throws {EndError} when they disagree, or the cluster lacks it
 */
export function familyFor(
  to: Named,
  asked: Family | undefined,
  cluster: Cluster,
): Family {
  const families = familiesOf(cluster);
  const family = to.is === "address"
    ? familyOf(to.address)
    : asked ?? families[0] ?? 4;
  if (asked !== undefined && asked !== family && to.is === "address") {
    throw new EndError(
      `--family ${asked}: ${to.address} is an address of family ${family}`,
    );
  }
  if (families.includes(family)) return family;
  throw new EndError(
    `the cluster of ${cluster.file} has no IPv${family}: its families are ${
      families.join(", ")
    }`,
  );
}

/**
 * The node that an end is on, as far as the cluster's addresses tell.
 *
 * @param cluster with the addresses of one family alone (inFamily())
 */
export function machineOf(end: Named, cluster: Cluster): string | undefined {
  if (end.is === "outside") return outsideName;
  if (end.is !== "address") return end.node;
  const { address } = end;
  const { outside, nodes, provider } = cluster;
  if (address === outside.address || address === outside.gateway) {
    return provider === "lab" ? outsideName : undefined;
  }
  const parsed = addressOrUndefined(address);
  return nodes.find(({ address: own, podCIDRs }) =>
    own === address ||
    parsed !== undefined &&
      podCIDRs.some((podCIDR) => contains(parseSubnet(podCIDR), parsed))
  )?.name;
}

/** An end of the path, found. */
export interface End {
  /** Its machine; none where no machine here has the address. */
  readonly machine?: string;
  readonly pod?: Pod;
  readonly address: string;
}

/**
 * Finds an end among what its machine has.
 *
 * @throws {EndError} when there is no such pod, or it never had an address
 */
export function findEnd(
  end: Named,
  machine: SurveyedMachine | undefined,
  cluster: Cluster,
): End {
  const at = machine === undefined ? {} : { machine: machine.name };
  switch (end.is) {
    case "outside":
      return { ...at, address: cluster.outside.address };
    case "node": {
      const node = cluster.nodes.find(({ name }) => name === end.node);
      return { ...at, address: node?.address ?? "" };
    }
    case "pod": {
      const pod = machine?.pods.find(({ name }) => name === end.pod);
      if (pod === undefined) throw noPod(end, machine, cluster);
      const address = addressOf(pod, cluster);
      if (address !== undefined) return { ...at, pod, address };
      throw new EndError(
        `${end.node}/${end.pod} has no address: look at it with ` +
          makeLine("shell", cluster, { NODE: end.node, POD: end.pod }),
      );
    }
    case "address": {
      const { address } = end;
      const pod = machine?.pods.find((pod) => has(pod.links, address));
      return { ...at, address, ...(pod === undefined ? {} : { pod }) };
    }
  }
}

function noPod(
  { node, pod }: Named & { readonly is: "pod" },
  machine: SurveyedMachine | undefined,
  cluster: Cluster,
): EndError {
  const names = machine?.names ?? [];
  return new EndError(
    `${node}/${pod}: no such pod on ${node}; it has ${
      names.length === 0 ? "none" : printable(names.join(", "))
    }: ${
      makeLine("09-verify", cluster)
    } starts the test pods shell and web on every worker`,
  );
}

/** What ADD gave counts, also where the pod has lost it. */
function addressOf(pod: Pod, cluster: Cluster): string | undefined {
  const [family = 4] = familiesOf(cluster);
  const given = pod.result && ofFamily(pod.result.addresses, family);
  const own = pod.links.find(({ ifname: name }) => name === ifname);
  return given ?? globalAddress(own, family);
}

/** A link's address that is of use beyond its own segment. */
export function globalAddress(
  link: SurveyedLink | undefined,
  family: Family,
): string | undefined {
  return link?.addr_info.map(({ local }) => local)
    .find((local) => familyOf(local) === family && !/^fe[89ab]/.test(local));
}

function has(links: readonly SurveyedLink[], address: string): boolean {
  return links.some(({ addr_info }) =>
    addr_info.some(({ local }) => local === address)
  );
}

/** A place at which a trace listens. */
export interface Place {
  readonly machine: string;
  /** The pod, where the place is inside one. */
  readonly pod?: Pod;
}

/** Whether two are one: pods of several machines may have the same path. */
export function isSamePlace(a: Partial<Place>, b: Partial<Place>): boolean {
  return a.machine === b.machine && a.pod?.sandbox === b.pod?.sandbox;
}

/** The network namespace of a place, as listen() takes it. */
export function networkNamespace({ pod }: Place): string {
  return pod?.sandbox ?? ownNamespace;
}

/** A place at which a trace listens, and whether it is neither end's. */
export interface ListeningPlace extends Place {
  readonly aside?: boolean;
}

/**
 * Where to listen: inside the pod that sends, on its machine, on all others
 * that a packet may come by, on the receiver's machine, inside the pod that
 * receives.
 */
export function listeningPlaces(
  from: End,
  to: End,
  machines: ReadonlyMap<string, SurveyedMachine>,
): readonly ListeningPlace[] {
  const ends = [from, to].map(({ machine }) => machine);
  const between = [...machines.keys()].filter((name) => !ends.includes(name));
  const gateways = [from, to].flatMap((end) => gatewayPods(end, machines))
    .filter((place, at, all) =>
      all.findIndex((other) => isSamePlace(other, place)) === at &&
      ![from, to].some((end) => isSamePlace(end, place))
    );
  const last = to.machine === from.machine ? undefined : to.machine;
  return [
    ...inside(from),
    ...(from.machine === undefined ? [] : [{ machine: from.machine }]),
    ...gateways,
    ...between.map((machine) => ({ machine, aside: true })),
    ...(last === undefined ? [] : [{ machine: last }]),
    ...inside(to),
  ];
}

/** Other pods of an end's machine that its routes name as gateways. */
function gatewayPods(
  { machine, pod }: End,
  machines: ReadonlyMap<string, SurveyedMachine>,
): readonly ListeningPlace[] {
  const others = machine === undefined ? undefined : machines.get(machine);
  if (machine === undefined || pod === undefined) return [];
  return (others?.pods ?? []).filter((other) =>
    other.sandbox !== pod.sandbox &&
    pod.routes.some(({ gateway = "" }) => has(other.links, gateway))
  ).map((pod) => ({ machine, pod, aside: true }));
}

function inside({ machine, pod }: End): readonly Place[] {
  return machine === undefined || pod === undefined ? [] : [{ machine, pod }];
}
