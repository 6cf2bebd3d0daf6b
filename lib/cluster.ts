/** The cluster: what its file says, and what the stages found out about it. */
import {
  type Cidr,
  CidrError,
  contains,
  containsAddress,
  type Family,
  familyOf,
  overlap,
  parseAddress,
  parseCidr,
  size,
} from "./cidr.ts";
import {
  ClusterFileError,
  listOf,
  mapping,
  oneOf,
  optional,
  type Path,
  type Reading,
  readYaml,
  required,
  someOf,
  text,
  wholeNumber,
  withDefault,
} from "./cluster_file.ts";

export { ClusterFileError };

/** Where a cluster's machines come from. */
export type Provider = "lab" | "local";

/** One machine of the cluster. */
export interface ClusterNode {
  readonly name: string;
  readonly role: "control-plane" | "worker";
  /** Its address on the segment that the nodes share. */
  readonly address: string;
  /** Its podCIDRs, one a family; empty until 02 has found them out. */
  readonly podCIDRs: readonly string[];
}

/** What the stages plan with. */
export interface Cluster {
  readonly name: string;
  readonly provider: Provider;
  /** The clusterCIDRs, one a family. */
  readonly clusterCIDRs: readonly string[];
  /** Prefix length of a node's podCIDR, one for each clusterCIDR. */
  readonly nodeMasks: readonly number[];
  readonly bridge: string;
  readonly cniVersion: "0.3.1" | "0.4.0" | "1.0.0" | "1.1.0";
  readonly mtu?: number;
  /** The segment that the nodes share (lab: made by 01). */
  readonly segmentCIDR: string;
  /** A host that is not of the cluster, to try the way out with. */
  readonly outside: {
    /** Its address on the segment, the nodes' default gateway (lab). */
    readonly gateway: string;
    /** The address that pods try to reach. */
    readonly address: string;
  };
  readonly nodes: readonly ClusterNode[];
  /** The folder in which this tool keeps what it found out: `.state/<name>`, absolute. */
  readonly stateDir: string;
  /** The file that it was read from, as the user named it. */
  readonly file: string;
}

/** The folder that this project lies in, absolute. */
export const projectRoot = import.meta.dirname?.replace(/\/lib$/, "") ?? ".";

/** Where 02 keeps each node's podCIDRs. */
export function podCIDRsPath({ stateDir }: Pick<Cluster, "stateDir">): string {
  return `${stateDir}/pod-cidrs.json`;
}

interface NodeInFile {
  name: string;
  role: ClusterNode["role"];
  address: string;
  podCIDRs?: string[] | undefined;
}

interface InFile {
  name: string;
  provider: Provider;
  clusterCIDR: string[];
  nodeMask?: number[] | undefined;
  bridge: string;
  cniVersion: Cluster["cniVersion"];
  mtu?: number | undefined;
  segmentCIDR: string;
  outside: { gateway: string; address: string };
  nodes: NodeInFile[];
}

/** RFC 1123, section 2.1; Kubernetes wants node names so too. */
function label(value: string): string | undefined {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)
    ? undefined
    : "is no name: expected small letters, digits and - inside, 63 at most";
}

/** dev_valid_name() of the kernel: IFNAMSIZ is 16 with the final zero byte. */
function linkName(value: string): string | undefined {
  const fits = /^[^/:\s]{1,15}$/.test(value) && value !== "." && value !== "..";
  return fits
    ? undefined
    : "is no name for a link: expected 1 to 15 characters without /, : and white space";
}

/** What is wrong with an address or a CIDR, in the words of lib/cidr.ts. */
function mistakeOf(parse: (value: string) => unknown) {
  return (value: string): string | undefined => {
    try {
      parse(value);
      return undefined;
    } catch (error) {
      if (error instanceof CidrError) return error.message;
      throw error;
    }
  };
}

const address = text(mistakeOf(parseAddress));
const cidr = text(mistakeOf(parseCidr));

/** A podCIDR has a gateway and at least one pod between network and broadcast address. */
const podCIDR = text((value) => {
  const mistake = mistakeOf(parseCidr)(value);
  if (mistake !== undefined) return mistake;
  const held = size(parseCidr(value));
  return held >= 4n
    ? undefined
    : `holds ${held} addresses; a gateway and a pod need 4`;
});

const schema = mapping<InFile>({
  name: required(text(label)),
  provider: withDefault(oneOf<Provider>("lab", "local"), "lab"),
  clusterCIDR: required(listOf(cidr)),
  nodeMask: optional(listOf(wholeNumber(1, 126))),
  bridge: withDefault(text(linkName), "cni0"),
  cniVersion: withDefault(
    oneOf<Cluster["cniVersion"]>("0.3.1", "0.4.0", "1.0.0", "1.1.0"),
    "1.0.0",
  ),
  mtu: optional(wholeNumber(576, 65535)),
  segmentCIDR: withDefault(cidr, "10.0.1.0/24"),
  outside: withDefault(
    mapping<InFile["outside"]>({
      gateway: required(address),
      address: required(address),
    }),
    { gateway: "10.0.1.1", address: "203.0.113.8" },
  ),
  nodes: required(someOf(mapping<NodeInFile>({
    name: required(text(label)),
    role: withDefault(
      oneOf<ClusterNode["role"]>("control-plane", "worker"),
      "worker",
    ),
    address: required(address),
    podCIDRs: optional(listOf(podCIDR)),
  }))),
});

/** kube-controller-manager's --node-cidr-mask-size-ipv4 and -ipv6. */
const defaultMask = { 4: 24, 6: 64 } as const;

/**
 * Reads a cluster file, and what stage 02 found out about the cluster.
 *
 * @param file its path
 * @throws {ClusterFileError} with all mistakes: file, line, key, value and what was expected
 */
export async function loadCluster(file: string): Promise<Cluster> {
  let content: string;
  try {
    content = await Deno.readTextFile(file);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new ClusterFileError([
      `${file}: cannot read the cluster file: ${error.message}; name one with --cluster, e.g. config/lab.yaml`,
    ]);
  }
  const root = Deno.env.get("DENO_CNI_STATE") ?? `${projectRoot}/.state`;
  const cluster = parseCluster(content, file, root);
  return await withFoundPodCIDRs(cluster);
}

/**
 * Reads a cluster file's text.
 *
 * @param stateRoot the folder of all clusters' state folders, absolute
 * @throws {ClusterFileError}
 */
export function parseCluster(
  content: string,
  file: string,
  stateRoot: string,
): Cluster {
  const reading = readYaml(content, file);
  const value = schema(reading.value, [], reading);
  if (value !== undefined && reading.mistakes().length === 0) {
    checkTogether(value, reading);
  }
  const mistakes = reading.mistakes();
  if (value === undefined || mistakes.length > 0) {
    throw new ClusterFileError(mistakes);
  }
  const { name, provider, bridge, cniVersion, mtu } = value;
  const { segmentCIDR, outside, nodes } = value;
  return {
    name,
    provider,
    clusterCIDRs: value.clusterCIDR,
    nodeMasks: masksOf(value),
    bridge,
    cniVersion,
    ...(mtu === undefined ? {} : { mtu }),
    segmentCIDR,
    outside,
    nodes: nodes.map(({ podCIDRs = [], ...node }) => ({ ...node, podCIDRs })),
    stateDir: `${stateRoot}/${value.name}`,
    file,
  };
}

function masksOf({ clusterCIDR, nodeMask }: InFile): number[] {
  return clusterCIDR.map((text, at) =>
    nodeMask?.[at] ?? defaultMask[familyOf(text)]
  );
}

/** What only shows when the values are looked at side by side. */
function checkTogether(value: InFile, reading: Reading): void {
  const families = value.clusterCIDR.map(familyOf);
  families.forEach((family, at) => {
    if (families.indexOf(family) === at) return;
    reading.wrong(
      ["clusterCIDR", at],
      `"${
        value.clusterCIDR[at]
      }" is a second one of IPv${family}; expected one a family at most`,
    );
  });
  checkMasks(value, reading);
  checkNodes(value, reading);
  checkPodCIDRs(value, reading);
  if (value.provider === "lab") checkSegment(value, reading);
}

/** kube-controller-manager: a node's mask is longer than the cluster's, by 16 bits at most. */
function checkMasks(value: InFile, reading: Reading): void {
  const masks = masksOf(value);
  value.clusterCIDR.forEach((text, at) => {
    const { prefixLength, family } = parseCidr(text);
    const mask = masks[at] ?? defaultMask[family];
    const path: Path = value.nodeMask === undefined
      ? ["clusterCIDR", at]
      : ["nodeMask", at];
    const least = prefixLength;
    const most = Math.min(prefixLength + 16, family === 4 ? 30 : 126);
    if (mask < least || mask > most) {
      reading.wrong(
        path,
        `a node mask of ${mask} does not fit the clusterCIDR ${text}; expected ${least} to ${most}`,
      );
    } else if (2 ** (mask - prefixLength) < value.nodes.length) {
      reading.wrong(
        path,
        `${text} has ${
          2 ** (mask - prefixLength)
        } subnets of /${mask}, too few for ${value.nodes.length} nodes; expected a shorter prefix of the cluster or a longer node mask`,
      );
    }
  });
}

function checkNodes({ nodes }: InFile, reading: Reading): void {
  unique(nodes.map(({ name }) => name), (at, first) =>
    reading.wrong(
      ["nodes", at, "name"],
      `"${
        nodes[at]?.name
      }" is the name of nodes[${first}] too; expected a name of its own`,
    ));
  unique(nodes.map(({ address }) => address), (at, first) =>
    reading.wrong(
      ["nodes", at, "address"],
      `"${nodes[at]?.address}" is the address of ${
        nodes[first]?.name
      } too; expected an address of its own`,
    ));
  nodes.forEach(({ name }, at) => {
    if (name !== "outside" && name !== "operator") return;
    reading.wrong(
      ["nodes", at, "name"],
      `"${name}" is taken for another machine; expected another name`,
    );
  });
  const leaders = nodes.filter(({ role }) => role === "control-plane");
  if (leaders.length === 1) return;
  reading.wrong(
    ["nodes"],
    leaders.length === 0
      ? `no node has "role: control-plane"; expected one`
      : `${leaders.length} nodes have "role: control-plane"; expected one`,
  );
}

function unique(
  values: readonly string[],
  report: (at: number, first: number) => void,
): void {
  values.forEach((value, at) => {
    const first = values.indexOf(value);
    if (first !== at) report(at, first);
  });
}

function checkPodCIDRs({ nodes, clusterCIDR }: InFile, reading: Reading): void {
  const clusters = clusterCIDR.map(parseCidr);
  const seen: { owner: string; text: string; cidr: Cidr }[] = [];
  nodes.forEach(({ name, podCIDRs = [] }, at) => {
    const families = new Set<Family>();
    podCIDRs.forEach((text, index) => {
      const path = ["nodes", at, "podCIDRs", index];
      const cidr = parseCidr(text);
      if (families.has(cidr.family)) {
        reading.wrong(
          path,
          `"${text}" is a second podCIDR of IPv${cidr.family}; expected one a family`,
        );
      }
      families.add(cidr.family);
      if (!clusters.some((cluster) => contains(cluster, cidr))) {
        reading.wrong(
          path,
          `"${text}" lies outside the clusterCIDR ${clusterCIDR.join(", ")}`,
        );
      }
      const other = seen.find((other) => overlap(other.cidr, cidr));
      if (other !== undefined) {
        reading.wrong(
          path,
          `"${text}" overlaps ${other.text} of ${other.owner}`,
        );
      }
      seen.push({ owner: name, text, cidr });
    });
    if (podCIDRs.length > 0 && families.size !== clusters.length) {
      reading.wrong(
        ["nodes", at, "podCIDRs"],
        `${podCIDRs.length} given; expected one for each of the clusterCIDRs ${
          clusterCIDR.join(", ")
        }`,
      );
    }
  });
}

function checkSegment(value: InFile, reading: Reading): void {
  const { segmentCIDR, outside, nodes } = value;
  const segment = parseCidr(segmentCIDR);
  value.clusterCIDR.forEach((text, at) => {
    if (!overlap(segment, parseCidr(text))) return;
    reading.wrong(
      ["clusterCIDR", at],
      `"${text}" overlaps the segment ${segmentCIDR}; expected addresses of the pods' own`,
    );
  });
  const onSegment = (path: Path, address: string) => {
    const value = containsAddress(segment, address)
      ? parseAddress(address)
      : undefined;
    const usable = value !== undefined && value !== segment.network &&
      value !== segment.network + size(segment) - 1n;
    if (usable) return;
    reading.wrong(
      path,
      `"${address}" is no host address of the segment ${segmentCIDR}`,
    );
  };
  onSegment(["outside", "gateway"], outside.gateway);
  nodes.forEach(({ address }, at) => {
    onSegment(["nodes", at, "address"], address);
    if (address !== outside.gateway && address !== outside.address) return;
    reading.wrong(
      ["nodes", at, "address"],
      `"${address}" is the outside host's; expected an address of its own`,
    );
  });
  if (containsAddress(segment, outside.address)) {
    reading.wrong(
      ["outside", "address"],
      `"${outside.address}" lies on the segment ${segmentCIDR}; expected one beyond the gateway`,
    );
  }
}

/** Gives each node the podCIDRs that 02 found out, where the file has none. */
async function withFoundPodCIDRs(cluster: Cluster): Promise<Cluster> {
  const path = podCIDRsPath(cluster);
  let content: string;
  try {
    content = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return cluster;
    throw error;
  }
  const found = parsePodCIDRs(content, path, cluster);
  return {
    ...cluster,
    nodes: cluster.nodes.map((node) => ({
      ...node,
      podCIDRs: node.podCIDRs.length > 0
        ? node.podCIDRs
        : found[node.name] ?? [],
    })),
  };
}

function parsePodCIDRs(
  content: string,
  path: string,
  cluster: Cluster,
): Readonly<Record<string, readonly string[]>> {
  const wrong = (what: string) =>
    new ClusterFileError([
      `${path}: ${what}; remove it and run 02-kubeadm again`,
    ]);
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch {
    throw wrong("not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong("expected podCIDRs by node name");
  }
  const ranges = cluster.clusterCIDRs.map(parseCidr);
  for (const [name, podCIDRs] of Object.entries(value)) {
    const fits = Array.isArray(podCIDRs) &&
      podCIDRs.every((text) =>
        typeof text === "string" && mistakeOf(parseCidr)(text) === undefined
      );
    if (!fits) throw wrong(`${name}: expected a list of podCIDRs`);
    for (const text of podCIDRs as string[]) {
      if (ranges.some((range) => contains(range, parseCidr(text)))) continue;
      throw wrong(
        `${name}: ${text} lies outside the clusterCIDR ${
          cluster.clusterCIDRs.join(", ")
        }, which ${cluster.file} says now`,
      );
    }
  }
  return value as Record<string, string[]>;
}
