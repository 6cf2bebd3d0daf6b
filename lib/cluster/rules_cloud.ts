/** What a cloud would refuse of a cluster file, told before it costs anything. */
import { type Draft, present } from "./validate.ts";
import {
  addressNumber,
  addressText,
  containsAddress,
  containsCidr,
  end,
  familyOf,
  overlaps,
  parseCidr,
} from "../net/cidr.ts";
import {
  type AwsSettings,
  type GcpSettings,
  type Routes,
} from "./schema_cloud.ts";
import type { KeyPath, Reading } from "./yaml.ts";

/** What checkCloud() looks at. */
interface InFile {
  name: string;
  provider: string;
  routes?: Routes;
  clusterCIDR: string[];
  segmentCIDR: string[];
  nodes: { name: string; address: string[] }[];
  aws?: AwsSettings;
  gcp?: GcpSettings;
}

/** Notes what a cloud would refuse, before it costs anything. */
export function checkCloud(value: Draft<InFile>, reading: Reading): void {
  checkProvider(value, reading);
  const { provider } = value;
  if (provider !== "aws" && provider !== "gcp") return;
  const oneOfFour = (list: Texts, key: "clusterCIDR" | "segmentCIDR") => {
    for (const [at, text] of present(list)) {
      if (familyOf(text) === 4) continue;
      reading.wrong(
        [key, at],
        `${text} is IPv6; on ${provider} expected IPv4 alone`,
      );
    }
  };
  oneOfFour(value.clusterCIDR, "clusterCIDR");
  oneOfFour(value.segmentCIDR, "segmentCIDR");
  const segment = present(value.segmentCIDR)[0]?.[1];
  if (segment === undefined || familyOf(segment) === 6) return;
  checkAddresses(value, segment, reading);
  checkRanges(value, segment, reading);
}

type Texts = readonly (string | undefined)[] | undefined;

function checkProvider(value: Draft<InFile>, reading: Reading): void {
  const { provider, routes } = value;
  if (provider === undefined) return;
  for (const cloud of ["aws", "gcp"] as const) {
    const given = value[cloud] !== undefined;
    if (given && provider !== cloud) {
      reading.wrong([cloud], `this is for provider: ${cloud}, not ${provider}`);
    }
    if (!given && provider === cloud) {
      const where = cloud === "aws"
        ? "region: eu-central-1"
        : "zone: europe-west3-a";
      reading.wrong(
        ["provider"],
        `${cloud} wants the key ${cloud}, with at least its ${where}`,
      );
    }
  }
  if (routes === undefined || routes === provider || routes === "vxlan") return;
  if (routes !== "host" && routes !== "bgp") {
    reading.wrong(
      ["routes"],
      `${routes} is for machines of provider: ${routes}, not ${provider}; expected ${
        provider === "gcp"
          ? "gcp or vxlan"
          : `${provider === "aws" ? "aws, " : ""}host, vxlan or bgp`
      }`,
    );
  } else if (provider === "gcp") {
    reading.wrong(
      ["routes"],
      `${routes} does not work on GCP, where machines share no segment: ` +
        "its router takes every packet; expected gcp or vxlan",
    );
  }
}

/**
 * A machine's address is one that its subnet has and the cloud does not keep.
 *
 * AWS keeps the first four and the last, GCP the first two and the last two:
 * https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html,
 * https://cloud.google.com/vpc/docs/subnets#unusable-ip-addresses-in-every-subnet
 */
function checkAddresses(
  { provider, nodes }: Draft<InFile>,
  segment: string,
  reading: Reading,
): void {
  const range = parseCidr(segment);
  const [first, last] = provider === "aws"
    ? [range.network + 4n, end(range) - 2n]
    : [range.network + 2n, end(range) - 3n];
  for (const [node, { address }] of present(nodes)) {
    for (const [at, text] of present(address)) {
      const usable = containsAddress(range, text) &&
        addressNumber(text) >= first && addressNumber(text) <= last;
      if (usable) continue;
      const path: KeyPath = ["nodes", node, "address", at];
      reading.wrong(
        path,
        `${text} is no address that a machine can have in ${segment}; expected one from ${
          addressText(first, 4)
        } to ${addressText(last, 4)}, ${provider} keeps the others`,
      );
    }
  }
}

/** Whose addresses must not be whose, and what the clouds take as names. */
function checkRanges(
  { provider, name, clusterCIDR, aws, nodes }: Draft<InFile>,
  segment: string,
  reading: Reading,
): void {
  const range = parseCidr(segment);
  const network = provider === "aws" && aws?.vpcCIDR !== undefined
    ? aws.vpcCIDR
    : segment;
  for (const [at, text] of present(clusterCIDR)) {
    if (
      familyOf(text) === 6 || !overlaps(parseCidr(text), parseCidr(network))
    ) {
      continue;
    }
    reading.wrong(
      ["clusterCIDR", at],
      `${text} overlaps ${network}, the machines' own addresses; expected others for the pods`,
    );
  }
  if (provider === "aws") {
    // https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
    if (range.prefixLength < 16 || range.prefixLength > 28) {
      reading.wrong(
        ["segmentCIDR"],
        `${segment} is no size that a subnet of AWS has; expected /16 to /28`,
      );
    }
    if (!containsCidr(parseCidr(network), range)) {
      reading.wrong(
        ["segmentCIDR"],
        `${segment} does not lie in aws.vpcCIDR, ${network}`,
      );
    }
    return;
  }
  // GCP's names begin with a letter and have 63 characters at most (RFC 1035).
  if (name === undefined) return;
  if (/^[0-9]/.test(name)) {
    reading.wrong(
      ["name"],
      `${name} begins with a digit; on gcp expected a letter`,
    );
  }
  if (name.length > 50) {
    reading.wrong(
      ["name"],
      `${name} has ${name.length} characters; ` +
        "expected 50 at most, since names on gcp begin with it",
    );
  }
  for (const [at, node] of present(nodes)) {
    if (node.name === undefined) continue;
    if (node.name.includes(".")) {
      reading.wrong(
        ["nodes", at, "name"],
        `${node.name} has a dot; expected none, since machines on gcp are named so`,
      );
    }
    const instance = `${name}-${node.name}`;
    if (instance.length <= 63) continue;
    reading.wrong(
      ["nodes", at, "name"],
      `${instance} would be the machine's name, of ${instance.length} ` +
        "characters; expected 63 at most",
    );
  }
}
