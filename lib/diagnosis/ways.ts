/** By which device a node sends to an address, and how much that takes. Pure. */
import { longestMatch } from "../net/route_match.ts";
import type { RouteFacts } from "./evidence.ts";

/** A way of a node's packets. */
export interface WayOut {
  readonly device: string;
  /** The most that a packet may have, of the device and of the route. */
  readonly mtu: number;
}

/**
 * The ways out of a node: by each default route, and to each of these addresses.
 *
 * @param routes of one family, that of the addresses
 */
export function waysOut(
  routes: readonly (RouteFacts & { readonly mtu?: number })[],
  links: readonly { readonly name: string; readonly mtu: number }[],
  addresses: readonly string[],
): readonly WayOut[] {
  const taken = [
    ...routes.filter(({ dst }) => dst === "default"),
    ...addresses.map((address) => longestMatch(routes, address)),
  ];
  return taken.flatMap((route: (typeof routes)[number] | undefined) => {
    const link = links.find(({ name }) => name === route?.dev);
    if (link === undefined) return [];
    const mtu = Math.min(link.mtu, route?.mtu ?? link.mtu);
    return [{ device: link.name, mtu }];
  });
}

/** Links that put packets into others, and take no more than what is below them does. */
const tunnels = new Set([
  ...["wireguard", "vxlan", "geneve", "gre", "gretap", "erspan", "ipip"],
  ...["ip6gre", "ip6gretap", "ip6tnl", "sit", "vti", "vti6", "xfrm", "tun"],
  ...["ppp", "bareudp", "gtp", "amt"],
]);

/** Whether a link is one of those, by its kind (ip-link(8)). */
export function isTunnel(kind: string | undefined): boolean {
  return tunnels.has(kind ?? "");
}
