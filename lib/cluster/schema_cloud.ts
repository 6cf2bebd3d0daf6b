/**
 * The keys of a cluster file that say which machines a cloud shall make.
 * config/aws.yaml and config/gcp.yaml tell the user.
 */
import {
  listOrSingle,
  mapping,
  oneOf,
  optional,
  required,
  textValue,
  type Validator,
  wholeNumber,
  withDefault,
} from "./validate.ts";
import { CidrError, parseCidr } from "../net/cidr.ts";

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

/** What keeps the routes to the nodes' podCIDRs. */
export type Routes = "host" | "vxlan" | "bgp" | "aws" | "gcp";

/** A word for a command line of a cloud's tool: nothing that it could take for a flag. */
function word(example: string): Validator<string> {
  return textValue(
    `a text like ${example}, in quotes if it looks like a number`,
    (value) =>
      /^[A-Za-z0-9][\w.:-]*$/.test(value)
        ? undefined
        : `is not like ${example}; expected letters, digits, "-", "." and ":"`,
  );
}

const zone = textValue(
  "a zone, e.g. europe-west3-a",
  (value) =>
    /^[a-z]+-[a-z]+[0-9]+-[a-z]$/.test(value)
      ? undefined
      : "is not a zone; expected one like europe-west3-a",
);

const release = textValue(
  'an Ubuntu release in quotes, e.g. "24.04"',
  (value) =>
    /^[0-9]{2}\.(04|10)$/.test(value)
      ? undefined
      : 'is not an Ubuntu release; expected one like "24.04"',
);

const image = textValue(
  "an image's id, e.g. ami-0123456789abcdef0",
  (value) =>
    /^ami-[0-9a-f]+$/.test(value)
      ? undefined
      : "is not an image's id; expected one like ami-0123456789abcdef0",
);

const cidr4 = textValue("an IPv4 CIDR, e.g. 198.51.100.7/32", (value) => {
  try {
    const { family } = parseCidr(value);
    return family === 4 ? undefined : "is IPv6; expected an IPv4 CIDR";
  } catch (error) {
    if (error instanceof CidrError) return error.message;
    throw error;
  }
});

/** ssh that is open to the whole internet is tried by the whole internet. */
const sshFrom: Validator<string[]> = listOrSingle(
  textValue(cidr4.expected, (value) => {
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
  }),
);

/** The key `aws`. */
export const awsSettings: Validator<AwsSettings> = mapping<AwsSettings>({
  region: required(word("eu-central-1")),
  instanceType: withDefault(word("t3.small"), "t3.small"),
  ubuntu: withDefault(release, "24.04"),
  image: optional(image),
  vpcCIDR: withDefault(cidr4, "10.0.0.0/16"),
  diskGB: withDefault(wholeNumber(8, 16_384), 20),
  sshFrom: optional(sshFrom),
});

/** The key `gcp`. */
export const gcpSettings: Validator<GcpSettings> = mapping<GcpSettings>({
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
export const routesWord: Validator<Routes> = oneOf<Routes>(
  "host",
  "vxlan",
  "bgp",
  "aws",
  "gcp",
);

/** What keeps the routes where the file does not say. */
export function defaultRoutes(provider: string): Routes {
  return provider === "aws" || provider === "gcp" ? provider : "host";
}
