/** Whose an address is. Pure. */
import {
  addressOrUndefined,
  contains,
  parseSubnet,
} from "../../../plugin/address/address.ts";
import type { ClusterNode } from "../../cluster/cluster.ts";

/** Whether an address is of a node's pods. */
export function inSomePodCIDR(
  address: string,
  { podCIDRs }: Pick<ClusterNode, "podCIDRs">,
): boolean {
  const parsed = addressOrUndefined(address);
  return parsed !== undefined &&
    podCIDRs.some((podCIDR) => contains(parseSubnet(podCIDR), parsed));
}
