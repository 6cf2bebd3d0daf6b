/** Which of several routes the kernel takes for an address. Pure. */
import {
  type Cidr,
  CidrError,
  containsAddress,
  type Family,
  familyOf,
  parseCidr,
} from "./cidr.ts";

/** Whether a network, or an address alone, has an address; "default" has all. */
export function networkHas(network: string, address: string): boolean {
  if (network === "default") return true;
  try {
    const cidr = networkOf(network);
    return cidr !== undefined && containsAddress(cidr, address);
  } catch (error) {
    if (error instanceof CidrError) return false;
    throw error;
  }
}

/** The length of a route's prefix; of the default route 0, of an address alone the longest. */
export function prefixLengthOf(dst: string): number {
  return dst === "default" ? 0 : Number(dst.split("/")[1] ?? 128);
}

/** What is asked for of a route. */
interface Destined {
  readonly dst: string;
  readonly metric?: number;
}

/** The route by which an address is reached: the longest prefix, then the least metric. */
export function longestMatch<Route extends Destined>(
  routes: readonly Route[],
  address: string,
): Route | undefined {
  if (routes.length >= many) {
    const network = networkOf(address);
    if (network !== undefined) return lookUp(routes, network);
  }
  return routes.filter(({ dst }) => networkHas(dst, address))
    .toSorted(byExactness)[0];
}

function byExactness(a: Destined, b: Destined): number {
  return prefixLengthOf(b.dst) - prefixLengthOf(a.dst) ||
    (a.metric ?? 0) - (b.metric ?? 0);
}

/** From so many routes on, they are sorted once and not gone through at each address. */
const many = 16;

/** The most exact route to each network, by family, prefix length and the network's number. */
type Index = ReadonlyMap<Family, ReadonlyMap<number, Map<bigint, Destined>>>;

const indexes = new WeakMap<readonly Destined[], Index>();

function lookUp<Route extends Destined>(
  routes: readonly Route[],
  { family, network, prefixLength: width }: Cidr,
): Route | undefined {
  const index = indexes.get(routes) ?? indexOf(routes);
  indexes.set(routes, index);
  // The longest prefix is first.
  for (const [prefixLength, byNetwork] of index.get(family) ?? []) {
    const rest = BigInt(width - prefixLength);
    const found = byNetwork.get(network >> rest << rest);
    if (found !== undefined) return found as Route;
  }
  return undefined;
}

function indexOf(routes: readonly Destined[]): Index {
  const all = routes.toSorted(byExactness).flatMap((route) => {
    const { dst } = route;
    const networks = dst === "default"
      ? ["0.0.0.0/0", "::/0"].map(networkOf)
      : [networkOf(dst)];
    return networks.flatMap((to) => to === undefined ? [] : [{ to, route }]);
  });
  const index = new Map<Family, Map<number, Map<bigint, Destined>>>();
  for (const { to: { family, prefixLength, network }, route } of all) {
    const lengths = index.get(family) ?? new Map();
    const byNetwork = lengths.get(prefixLength) ?? new Map();
    if (!byNetwork.has(network)) byNetwork.set(network, route);
    index.set(family, lengths.set(prefixLength, byNetwork));
  }
  return index;
}

/** A network, or an address alone; undefined for what is neither. */
function networkOf(text: string): Cidr | undefined {
  try {
    return parseCidr(
      text.includes("/") ? text : `${text}/${familyOf(text) === 4 ? 32 : 128}`,
    );
  } catch (error) {
    // What a machine prints need not be an address.
    if (error instanceof CidrError) return undefined;
    throw error;
  }
}
