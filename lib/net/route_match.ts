/** Which of several routes the kernel takes for an address. Pure. */
import { CidrError, containsAddress, familyOf, parseCidr } from "./cidr.ts";

/** Whether a network, or an address alone, has an address; "default" has all. */
export function networkHas(network: string, address: string): boolean {
  if (network === "default") return true;
  try {
    const family = familyOf(address);
    if (familyOf(network) !== family) return false;
    const whole = network.includes("/")
      ? network
      : `${network}/${family === 4 ? 32 : 128}`;
    return containsAddress(parseCidr(whole), address);
  } catch (error) {
    // What a machine prints need not be an address.
    if (error instanceof CidrError) return false;
    throw error;
  }
}

/** The length of a route's prefix; of the default route 0, of an address alone the longest. */
export function prefixLengthOf(dst: string): number {
  return dst === "default" ? 0 : Number(dst.split("/")[1] ?? 128);
}

/** The route by which an address is reached: the longest prefix, then the least metric. */
export function longestMatch<
  Route extends { readonly dst: string; readonly metric?: number },
>(routes: readonly Route[], address: string): Route | undefined {
  return routes.filter(({ dst }) => networkHas(dst, address))
    .toSorted((a, b) =>
      prefixLengthOf(b.dst) - prefixLengthOf(a.dst) ||
      (a.metric ?? 0) - (b.metric ?? 0)
    )[0];
}
