/** The keys of a cluster file, and what each must be. config/lab.yaml tells the user. */
import {
  type Draft,
  listOrSingle,
  mapping,
  oneOf,
  optional,
  required,
  someOf,
  textValue,
  type Validator,
  wholeNumber,
  withDefault,
} from "./validate.ts";
import {
  addressNumber,
  type Family,
  familyOf,
  parseCidr,
  size,
} from "../net/cidr.ts";
import { address, cidrForm, mistakeOf, segmentCidr } from "./schema_address.ts";
import { type BgpInFile, bgpSettings } from "./schema_bgp.ts";
import { domainName } from "./schema_name.ts";
import type { Cluster, ClusterNode, Provider } from "./cluster.ts";
import {
  type KubernetesSettings,
  kubernetesSettings,
} from "./schema_kubernetes.ts";
import {
  type PluginSettings,
  pluginSettings,
  usualPlugin,
} from "./schema_plugin.ts";
import {
  type AwsSettings,
  awsSettings,
  type GcpSettings,
  gcpSettings,
  type Routes,
  routesWord,
} from "./schema_cloud.ts";
import {
  type NodeSshSettings,
  nodeSshSettings,
  type SshSettings,
  sshSettings,
} from "./schema_ssh.ts";
import { type Firewall, firewallKey } from "./schema_firewall.ts";
import { type VxlanSettings, vxlanSettings } from "./schema_vxlan.ts";

interface NodeInFile {
  name: string;
  role: ClusterNode["role"];
  address: string[];
  podCIDRs?: string[];
  ssh?: NodeSshSettings;
}

interface SegmentInFile {
  cidr: string[];
  router: string[];
  mtu?: number;
}

/** What can run the pods of a lab: nothing but stage 09 itself, or a container runtime. */
export const runtimes = ["none", "containerd"] as const;

/** One of runtimes. */
type RuntimeName = typeof runtimes[number];

/** A cluster file's content. */
export interface InFile {
  name: string;
  provider: Provider;
  clusterCIDR: string[];
  nodeMask?: number[];
  bridge: string;
  cniVersion: Cluster["cniVersion"];
  mtu?: number;
  plugin: PluginSettings;
  runtime: RuntimeName;
  podsPerNode?: number;
  segmentCIDR: string[];
  segments?: SegmentInFile[];
  outside: { gateway: string[]; address: string[]; url?: string[] };
  kubernetes?: KubernetesSettings;
  ssh?: SshSettings;
  routes?: Routes;
  vxlan?: VxlanSettings;
  bgp?: BgpInFile;
  firewall: Firewall;
  aws?: AwsSettings;
  gcp?: GcpSettings;
  nodes: NodeInFile[];
}

/** RFC 1123, section 2.1. */
const label = textValue(
  'a name of a-z, 0-9 and "-" inside, 63 characters at most, in quotes if it looks like a number',
  (value) =>
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(value)
      ? undefined
      : 'is not a name; expected a-z, 0-9 and "-" inside, 63 characters at most',
  /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
);

/** Names of machines that are not nodes. */
const reserved = ["outside", "operator"];

const nodeName: Validator<string> = {
  ...domainName,
  schema: { ...domainName.schema, not: { enum: reserved } },
  read(value, path, reading) {
    const name = domainName.read(value, path, reading);
    if (name === undefined || !reserved.includes(name)) return name;
    reading.wrong(
      path,
      `${name} is taken for a machine that is no node; expected another name`,
    );
    return undefined;
  },
};

/** What the kernel and systemd.net-naming-scheme(7) call links that a machine itself has. */
const ownLink =
  /^(lo|docker0|(eth|eno|ens|enp|enx|wlan|wlp|bond)\d.*|all|default)$/;

/**
 * dev_valid_name() of the kernel: IFNAMSIZ is 16 with the final zero byte; `%`
 * makes the kernel number the name.
 */
const plainLinkName = textValue(
  "a link's name, e.g. cni0",
  (value) => {
    if (ownLink.test(value)) {
      return "is a name of the machine's own links; expected another, e.g. cni0";
    }
    return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/.test(value)
      ? undefined
      : "is not a link's name; expected 1 to 15 bytes of A-Z a-z 0-9 _ . -, " +
        "a letter or digit first";
  },
  /^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/,
);

const linkName: Validator<string> = {
  ...plainLinkName,
  schema: { ...plainLinkName.schema, not: { pattern: ownLink.source } },
};

/**
 * What pods take addresses from: between network and broadcast address there
 * is a gateway, and at least one pod.
 */
export const podCIDR: Validator<string> = textValue(
  "a CIDR, e.g. 10.244.0.0/16",
  (value) => {
    const mistake = mistakeOf(parseCidr)(value);
    if (mistake !== undefined) return mistake;
    const held = size(parseCidr(value));
    return held >= 4n
      ? undefined
      : `holds ${held} ${
        held === 1n ? "address" : "addresses"
      }; a gateway and a pod need 4`;
  },
  cidrForm,
);

/** busybox' wget knows http alone; a host's name would want DNS before anything can be tried. */
const page = textValue(
  "a page that answers with the caller's address, e.g. http://203.0.113.8/source",
  (value) =>
    pageHost(value) === undefined
      ? "is no page to ask; expected http://ADDRESS/…, e.g. http://203.0.113.8/source"
      : undefined,
  /^http:\/\//,
);

/** The address at which a page is; undefined where it names none. */
export function pageHost(url: string): string | undefined {
  const [, six, four] =
    /^http:\/\/(?:\[([0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\]|([0-9.]+))(?::\d+)?\/[\w.~%/?=&+-]*$/
      .exec(url) ?? [];
  const host = six ?? four;
  return host === undefined || mistakeOf(addressNumber)(host) !== undefined
    ? undefined
    : host;
}

/** The segment of a file that names none: by its identity, it is told from one that is named. */
export const usualSegment = ["10.0.1.0/24"];

export const schema: Validator<InFile> = mapping<InFile>({
  name: required(label),
  provider: withDefault(
    oneOf<Provider>("lab", "local", "ssh", "aws", "gcp"),
    "lab",
  ),
  clusterCIDR: required(listOrSingle(podCIDR)),
  nodeMask: optional(listOrSingle(wholeNumber(1, 126))),
  bridge: withDefault(linkName, "cni0"),
  cniVersion: withDefault(
    oneOf<Cluster["cniVersion"]>("0.3.1", "0.4.0", "1.0.0", "1.1.0"),
    "1.0.0",
  ),
  // 68 is IPv4's least (RFC 791), 65535 the kernel's most for veth and bridge.
  mtu: optional(wholeNumber(68, 65535)),
  plugin: withDefault(pluginSettings, usualPlugin),
  runtime: withDefault(oneOf<RuntimeName>(...runtimes), "none"),
  podsPerNode: optional(wholeNumber(2, 250)),
  segmentCIDR: withDefault(listOrSingle(segmentCidr), usualSegment),
  segments: optional(someOf(mapping<SegmentInFile>({
    cidr: required(listOrSingle(segmentCidr)),
    router: required(listOrSingle(address)),
    mtu: optional(wholeNumber(68, 65535)),
  }))),
  outside: withDefault(
    mapping<InFile["outside"]>({
      gateway: withDefault(listOrSingle(address), ["10.0.1.1"]),
      address: withDefault(listOrSingle(address), ["203.0.113.8"]),
      url: optional(listOrSingle(page)),
    }),
    { gateway: ["10.0.1.1"], address: ["203.0.113.8"] },
  ),
  kubernetes: optional(kubernetesSettings),
  ssh: optional(sshSettings),
  routes: optional(routesWord),
  vxlan: optional(vxlanSettings),
  bgp: optional(bgpSettings),
  firewall: firewallKey,
  aws: optional(awsSettings),
  gcp: optional(gcpSettings),
  nodes: required(someOf(mapping<NodeInFile>({
    name: required(nodeName),
    role: withDefault(
      oneOf<ClusterNode["role"]>("control-plane", "worker"),
      "worker",
    ),
    address: required(listOrSingle(address)),
    podCIDRs: optional(listOrSingle(podCIDR)),
    ssh: optional(nodeSshSettings),
  }))),
});

/** kube-controller-manager's --node-cidr-mask-size-ipv4 and -ipv6. */
const defaultMask: Readonly<Record<Family, number>> = { 4: 24, 6: 64 };

/** The prefix length of a node's podCIDR, for the clusterCIDR at this place of the list. */
export function nodeMaskOf(
  { nodeMask }: Draft<InFile>,
  clusterCIDR: string,
  at: number,
): number {
  return nodeMask?.[at] ?? defaultMask[familyOf(clusterCIDR)];
}
