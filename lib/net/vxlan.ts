/** What the tunnels between the nodes are called, and their ends' addresses. Pure. */
import { addressText, parseCidr } from "./cidr.ts";
import { mac } from "./mac.ts";

/** A node's end of all its tunnels: a link that puts frames into UDP packets. */
export const tunnelLink = "deno.vxlan";

/** The MAC address of a node's end, by its name: nobody has to ask for it. */
export function vtepMac(node: string): string {
  return mac(`vxlan ${node}`);
}

/**
 * The address of a node's end inside the tunnels, where no pod can have it: the
 * first of the podCIDR, which stands for the network itself.
 */
export function tunnelAddress(podCIDR: string): string {
  const { network, family } = parseCidr(podCIDR);
  return addressText(network, family);
}
