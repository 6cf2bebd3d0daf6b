/** Addresses and CIDRs as values of a cluster file. */
import { textValue } from "./validate.ts";
import { addressNumber, CidrError, parseCidr } from "../net/cidr.ts";

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

/** An address. */
export const address = textValue(
  "an address, e.g. 10.0.1.11",
  mistakeOf(addressNumber),
  /^[0-9a-fA-F:.]+$/,
);

/** What a CIDR looks like. */
export const cidrForm = /^[0-9a-fA-F:.]+\/\d{1,3}$/;

/** A CIDR. */
export const cidr = textValue(
  "a CIDR, e.g. 10.0.1.0/24",
  mistakeOf(parseCidr),
  cidrForm,
);
