/**
 * Neighbours' questions for an IPv6 address, neighbour solicitations, go to a
 * multicast group that follows from the address: RFC 4291, 2.7.1.
 */

import { type Address, sameAddress } from "./address/address.ts";
import { waitFor } from "./linux/wait.ts";
import { type Kernel, multicastGroups } from "./netlink/rtnetlink.ts";

/** At most this long for the kernel to listen; it takes about none. */
const listening_ms = 1000;

/** ff02::1:ff00:0, into which the last three bytes of an address go. */
const solicitedNode = 0xff02_0000_0000_0000_0000_0001_ff00_0000n;

/**
 * Waits until the kernel hears what is asked for those of the addresses that
 * are IPv6, so that they are usable when ADD returns. It joins an address's
 * group only after it has acknowledged the address, in a worker that may be
 * behind others. A question that is not heard is asked again a second later.
 */
export function awaitSolicitations(
  kernel: Kernel,
  index: number,
  addresses: readonly Address[],
): void {
  const wanted = addresses.filter(({ family }) => family === 6)
    .map(solicitedNodeOf);
  if (wanted.length === 0) return;
  waitFor(listening_ms, () => {
    const joined = multicastGroups(kernel, index);
    return wanted.every((group) =>
      joined.some((other) => sameAddress(other, group))
    );
  });
}

function solicitedNodeOf({ family, value }: Address): Address {
  return { family, value: solicitedNode | (value & 0xff_ffffn) };
}
