/** The keys of a cluster file that say which machines a cloud shall make. config/aws.yaml and config/gcp.yaml tell the user. */
import {
  type Check,
  type Draft,
  listOf,
  mapping,
  oneOf,
  optional,
  present,
  required,
  text,
  wholeNumber,
  withDefault,
} from "./check.ts";
import {
  CidrError,
  contains,
  containsAddress,
  end,
  familyOf,
  formatAddress,
  overlaps,
  parseAddress,
  parseCidr,
} from "./cidr.ts";
import type { Path, Reading } from "./cluster_file.ts";

/** What AWS shall make. */
export interface AwsSettings {
  readonly region: string;
  readonly instanceType: string;
  /** The Ubuntu release, as 24.04. */
  readonly ubuntu: string;
  /** An image's id to take instead of Ubuntu's newest. */
  readonly image?: string;
  readonly vpcCIDR: string;
  readonly diskGB: number;
  /** From where ssh is let in, as CIDRs; left out, from where stage 01 is run. */
  readonly sshFrom?: readonly string[];
}

/** What GCP shall make. */
export interface GcpSettings {
  /** Left out, the one that gcloud is set to. */
  readonly project?: string;
  readonly zone: string;
  readonly machineType: string;
  /** A family of images of the project ubuntu-os-cloud; GCP takes its newest. */
  readonly imageFamily: string;
  readonly diskGB: number;
  /** From where ssh is let in, as CIDRs; left out, from where stage 01 is run. */
  readonly sshFrom?: readonly string[];
}

/** Who keeps the routes to the nodes' podCIDRs. */
export type Routes = "host" | "aws" | "gcp";

/** A word for a command line of a cloud's tool: nothing that it could take for a flag. */
function word(example: string): Check<string> {
  return text(
    `a text like ${example}, in quotes if it looks like a number`,
    (value) =>
      /^[A-Za-z0-9][\w.:-]*$/.test(value)
        ? undefined
        : `is not like ${example}; expected letters, digits, "-", "." and ":"`,
  );
}

const zone = text(
  "a zone, e.g. europe-west3-a",
  (value) =>
    /^[a-z]+-[a-z]+[0-9]+-[a-z]$/.test(value)
      ? undefined
      : "is not a zone; expected one like europe-west3-a",
);

const release = text(
  'an Ubuntu release in quotes, e.g. "24.04"',
  (value) =>
    /^[0-9]{2}\.(04|10)$/.test(value)
      ? undefined
      : 'is not an Ubuntu release; expected one like "24.04"',
);

const image = text(
  "an image's id, e.g. ami-0123456789abcdef0",
  (value) =>
    /^ami-[0-9a-f]+$/.test(value)
      ? undefined
      : "is not an image's id; expected one like ami-0123456789abcdef0",
);

const cidr4 = text("an IPv4 CIDR, e.g. 198.51.100.7/32", (value) => {
  try {
    const { family } = parseCidr(value);
    return family === 4 ? undefined : "is IPv6; expected an IPv4 CIDR";
  } catch (error) {
    if (error instanceof CidrError) return error.message;
    throw error;
  }
});

/** ssh that is open to the whole internet is tried by the whole internet. */
const sshFrom: Check<string[]> = listOf(text(cidr4.expected, (value) => {
  const mistakes: string[] = [];
  cidr4.read(value, [], {
    value,
    wrong: (_path, message) => mistakes.push(message.slice(value.length + 1)),
    mistakes: () => mistakes,
  });
  if (mistakes[0] !== undefined) return mistakes[0];
  return parseCidr(value).prefixLength >= 8
    ? undefined
    : "lets in whoever there is; expected the operator's own address, e.g. 198.51.100.7/32";
}));

/** The key `aws`. */
export const awsSettings: Check<AwsSettings> = mapping<AwsSettings>({
  region: required(word("eu-central-1")),
  instanceType: withDefault(word("t3.small"), "t3.small"),
  ubuntu: withDefault(release, "24.04"),
  image: optional(image),
  vpcCIDR: withDefault(cidr4, "10.0.0.0/16"),
  diskGB: withDefault(wholeNumber(8, 16_384), 20),
  sshFrom: optional(sshFrom),
});

/** The key `gcp`. */
export const gcpSettings: Check<GcpSettings> = mapping<GcpSettings>({
  project: optional(word("my-project")),
  zone: required(zone),
  machineType: withDefault(word("e2-small"), "e2-small"),
  imageFamily: withDefault(
    word("ubuntu-2404-lts-amd64"),
    "ubuntu-2404-lts-amd64",
  ),
  diskGB: withDefault(wholeNumber(10, 65_536), 20),
  sshFrom: optional(sshFrom),
});

/** The key `routes`. */
export const routesWord: Check<Routes> = oneOf<Routes>("host", "aws", "gcp");

/** Who keeps the routes where the file does not say. */
export function defaultRoutes(provider: string): Routes {
  return provider === "aws" || provider === "gcp" ? provider : "host";
}

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
  if (routes === undefined || routes === provider) return;
  if (routes !== "host") {
    reading.wrong(
      ["routes"],
      `${routes} is for machines of provider: ${routes}, not ${provider}; expected ${
        defaultRoutes(provider)
      }`,
    );
  } else if (provider === "gcp") {
    reading.wrong(
      ["routes"],
      "host does not work on GCP, where machines share no segment: its router takes every packet; expected gcp",
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
        parseAddress(text) >= first && parseAddress(text) <= last;
      if (usable) continue;
      const path: Path = ["nodes", node, "address", at];
      reading.wrong(
        path,
        `${text} is no address that a machine can have in ${segment}; expected one from ${
          formatAddress(first, 4)
        } to ${formatAddress(last, 4)}, ${provider} keeps the others`,
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
    if (!contains(parseCidr(network), range)) {
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
      `${name} has ${name.length} characters; expected 50 at most, since names on gcp begin with it`,
    );
  }
  for (const [at, node] of present(nodes)) {
    if (node.name === undefined) continue;
    const instance = `${name}-${node.name}`;
    if (instance.length <= 63) continue;
    reading.wrong(
      ["nodes", at, "name"],
      `${instance} would be the machine's name, of ${instance.length} characters; expected 63 at most`,
    );
  }
}
