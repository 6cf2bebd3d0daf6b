/**
 * The network part of a cluster file, for a cluster whose nodes are known
 * elsewhere: by Kubernetes. The same keys, of which only clusterCIDR is needed;
 * nodes are passed over, and routes may be `auto`.
 */
import type { Cluster } from "./cluster.ts";
import { checkedCluster } from "./load.ts";
import { ClusterFileError, readYaml } from "./yaml.ts";

/** A network without its nodes. */
export interface NetworkPart {
  /** A cluster that has no nodes yet; with `auto`, its routes are vxlan. */
  readonly cluster: Cluster;
  /** Plain routes where all nodes share a segment, tunnels else. */
  readonly auto: boolean;
}

/** What a whole cluster file has besides, for making machines or a lab, and for reaching them. */
const passedOver = [
  ...["segments", "segmentCIDR", "outside", "podsPerNode", "runtime"],
  ...["kubernetes", "ssh", "aws", "gcp", "nodes"],
];

/** In the documentation's range (RFC 5737): stands for the nodes while the file is checked. */
const placeholder = "192.0.2.1";
const placeholderIPv6 = "2001:db8::1";

/**
 * Reads the network part of a cluster file.
 *
 * @param file its name, for the messages
 * @throws {ClusterFileError} with all mistakes, as for a whole cluster file
 */
export function parseNetworkPart(content: string, file: string): NetworkPart {
  const reading = readYaml(content, file);
  const { value } = reading;
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ClusterFileError([
      `${file}: expected the keys of a cluster file, e.g. clusterCIDR: 10.244.0.0/16`,
    ]);
  }
  const given: Record<string, unknown> = { ...value };
  const auto = given.routes === "auto";
  const lab = given.provider === "lab";
  for (const key of passedOver) delete given[key];
  const reflectors = reflectorsIn(given);
  const whole = {
    name: "kubernetes",
    ...given,
    ...(auto ? { routes: "vxlan" } : {}),
    provider: "ssh",
    nodes: [{
      name: "placeholder",
      role: "control-plane",
      address: families(given.clusterCIDR),
    }],
  };
  const cluster = checkedCluster(
    { ...reading, value: whole },
    file,
    "/var/lib/deno-cni",
  );
  const provider = lab ? "lab" : "ssh";
  const bgp = cluster.bgp === undefined ? {} : {
    bgp: { ...cluster.bgp, ...(reflectors && { reflectors }) },
  };
  return { cluster: { ...cluster, ...bgp, provider, nodes: [] }, auto };
}

/** Takes out the names of nodes, which are not known while the file is checked. */
function reflectorsIn(given: Record<string, unknown>): string[] | undefined {
  const { bgp } = given;
  if (typeof bgp !== "object" || bgp === null || Array.isArray(bgp)) {
    return undefined;
  }
  const { reflectors, ...rest } = bgp as Record<string, unknown>;
  const names = [reflectors].flat()
    .filter((one): one is string => typeof one === "string" && one !== "");
  // What is none is for the check to tell.
  if (names.length === 0 || names.length < [reflectors].flat().length) {
    return undefined;
  }
  given.bgp = rest;
  return names;
}

function families(clusterCIDR: unknown): string[] {
  const all = [clusterCIDR].flat().filter((one) => typeof one === "string");
  const six = all.some((one) => one.includes(":"));
  const four = all.some((one) => !one.includes(":"));
  return [
    ...(four || !six ? [placeholder] : []),
    ...(six ? [placeholderIPv6] : []),
  ];
}
