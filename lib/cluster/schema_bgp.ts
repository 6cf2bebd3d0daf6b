/** The key `bgp` of a cluster file. config/lab-two-segments.yaml tells the user. */
import { familyOf, ofFamily } from "../net/cidr.ts";
import { address } from "./schema_address.ts";
import { domainName } from "./schema_name.ts";
import {
  listOrSingle,
  mapping,
  optional,
  required,
  someOf,
  textValue,
  type Validator,
  wholeNumber,
  withDefault,
} from "./validate.ts";

/** A router that is no node, and has a session with each node that is near it. */
interface BgpPeer {
  readonly address: string;
  readonly as: number;
}

/** What a cluster file says. */
export interface BgpInFile {
  /** The autonomous system that all nodes are of. */
  as: number;
  reflectors?: string[];
  peers?: { address: string; as: number }[];
  passwordFile?: string;
}

/** Who tells whom of podCIDRs. */
export interface BgpSettings {
  readonly as: number;
  /** The nodes that pass on what the others tell them; left out, by the number of nodes. */
  readonly reflectors?: readonly string[];
  readonly peers: readonly BgpPeer[];
  /** The operator's file that holds the password of all sessions: absolute, or below `~`. */
  readonly passwordFile?: string;
}

/** The first of the numbers for private use (RFC 6996). */
const usualAs = 64_512;

/** The number of a lab's router. */
const routerAs = 64_513;

/**
 * Numbers that no autonomous system has: 0 (RFC 7607), 23456 (AS_TRANS, RFC
 * 6793), 65535 and 4294967295 (RFC 7300).
 */
const noNumbers: readonly number[] = [23_456, 65_535];
const anyNumber = wholeNumber(1, 4_294_967_294);

const asNumber: Validator<number> = {
  ...anyNumber,
  schema: { ...anyNumber.schema, not: { enum: noNumbers } },
  read(value, path, reading) {
    const number = anyNumber.read(value, path, reading);
    if (number === undefined || !noNumbers.includes(number)) return number;
    reading.wrong(
      path,
      `${number} is reserved, no autonomous system has it; ` +
        `expected another, e.g. ${usualAs}`,
    );
    return undefined;
  },
};

/** Absolute or below `~`, of a file and no folder. */
// deno-lint-ignore no-control-regex
const pathForm = /^~?\/([^\0-\x1f\x7f]*[^\0-\x1f\x7f/])$/;

const passwordFile = textValue(
  "the path of a file with a password, e.g. ~/bgp-password",
  (value) =>
    pathForm.test(value)
      ? undefined
      : "is no file's absolute path; expected one that begins with / or ~/",
  pathForm,
);

export const bgpSettings: Validator<BgpInFile> = mapping<BgpInFile>({
  as: withDefault(asNumber, usualAs),
  reflectors: optional(listOrSingle(domainName)),
  peers: optional(someOf(mapping<{ address: string; as: number }>({
    address: required(address),
    as: required(asNumber),
  }))),
  passwordFile: optional(passwordFile),
});

/**
 * The settings that a file means: the router between a lab's segments is a peer
 * where the file names none.
 */
export function bgpOf(
  { bgp = { as: usualAs }, segments = [] }: {
    readonly bgp?: BgpInFile;
    readonly segments?: readonly { readonly router: readonly string[] }[];
  },
  [first = ""]: readonly string[],
): BgpSettings {
  const { peers, ...rest } = bgp;
  const routers = segments.flatMap(({ router }) =>
    ofFamily(router, familyOf(first)) ?? []
  );
  return {
    ...rest,
    peers: peers ?? routers.map((address) => ({ address, as: routerAs })),
  };
}
