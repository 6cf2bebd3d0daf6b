/** Addresses and CIDRs as values of a cluster file. */
import { textValue, type Validator } from "./validate.ts";
import { addressNumber, CidrError, overlaps, parseCidr } from "../net/cidr.ts";

/** What is wrong with an address or a CIDR, in the words of lib/cidr.ts. */
export function mistakeOf(
  parse: (value: string) => unknown,
): (value: string) => string | undefined {
  return (value) => {
    try {
      parse(value);
      return undefined;
    } catch (error) {
      if (error instanceof CidrError) return error.message;
      throw error;
    }
  };
}

const byte = String.raw`(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)`;
const four = String.raw`${byte}(?:\.${byte}){3}`;
/** At least two colons; which of these are addresses, a pattern says only at length. */
const six = "[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,8}(?:[.][0-9.]+)?";

/** What an address looks like. */
const addressForm = new RegExp(`^(?:${four}|${six})$`);

/** What a CIDR looks like. */
export const cidrForm = new RegExp(
  String
    .raw`^(?:${four}\/(?:3[0-2]|[12]?\d)|${six}\/(?:12[0-8]|1[01]\d|[1-9]?\d))$`,
);

/** An address. */
export const address = textValue(
  "an address, e.g. 10.0.1.11",
  mistakeOf(addressNumber),
  addressForm,
);

/** What no machine has for itself on a network; by whole networks, with what they are. */
export const notOneMachines: readonly (readonly [cidr: string, is: string])[] =
  [
    ["0.0.0.0/8", "no machine's address"],
    ["127.0.0.0/8", "each machine's own address"],
    ["169.254.0.0/16", "a link-local address"],
    ["224.0.0.0/3", "no single machine's address"],
    ["::/127", "each machine's own address, or none"],
    ["fe80::/10", "a link-local address"],
    ["ff00::/8", "no single machine's address"],
  ];

/** The CIDR of a segment: between network and broadcast address, two machines at least. */
export const segmentCidr: Validator<string> = textValue(
  "a CIDR, e.g. 10.0.1.0/24",
  (value) => {
    const mistake = mistakeOf(parseCidr)(value);
    if (mistake !== undefined) return mistake;
    const range = parseCidr(value);
    const other = notOneMachines.find(([cidr]) =>
      overlaps(parseCidr(cidr), range)
    );
    if (other !== undefined) {
      return `has ${other[0]} in common, of which each is ${other[1]}; ` +
        "expected a network of machines, e.g. 10.0.1.0/24";
    }
    const longest = range.family === 4 ? 30 : 126;
    return range.prefixLength <= longest
      ? undefined
      : `has no room for a router and a node; expected /${longest} or shorter`;
  },
  cidrForm,
);
