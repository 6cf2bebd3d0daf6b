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

/** Of the documentation (RFC 5737, RFC 3849): they stand for nodes while the file is checked. */
const placeholder = "192.0.2.";
const placeholderIPv6 = "2001:db8::";

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
  const whole = {
    name: "kubernetes",
    ...given,
    ...(auto ? { routes: "vxlan" } : {}),
    provider: "ssh",
    nodes: ["placeholder", ...reflectorsIn(given.bgp)].map((name, at) => ({
      name,
      role: at === 0 ? "control-plane" : "worker",
      address: families(given.clusterCIDR, at),
    })),
  };
  const cluster = checkedCluster(
    { ...reading, value: whole },
    file,
    "/var/lib/deno-cni",
  );
  const provider = lab ? "lab" : "ssh";
  return { cluster: { ...cluster, provider, nodes: [] }, auto };
}

/** The nodes that the part names: Kubernetes tells later whether there are such. */
function reflectorsIn(bgp: unknown): unknown[] {
  const named = typeof bgp === "object" && bgp !== null && "reflectors" in bgp
    ? [bgp.reflectors].flat()
    : [];
  return [...new Set(named)].filter((name) => typeof name === "string");
}

/** @param at the place of a node among the placeholders */
function families(clusterCIDR: unknown, at: number): string[] {
  const all = [clusterCIDR].flat().filter((one) => typeof one === "string");
  const six = all.some((one) => one.includes(":"));
  const four = all.some((one) => !one.includes(":"));
  return [
    ...(four || !six ? [`${placeholder}${at + 1}`] : []),
    ...(six ? [`${placeholderIPv6}${(at + 1).toString(16)}`] : []),
  ];
}
