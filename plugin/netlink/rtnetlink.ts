/**
 * Asking rtnetlink, in a network namespace: requests out, answers in.
 */

import { type Address, type Family } from "../address/address.ts";
import { errno } from "../linux/errno.ts";
import { SystemError } from "../linux/libc.ts";
import { netlinkSocket, receive, send } from "../linux/netlink_socket.ts";
import {
  getGroups,
  getLink,
  getLinks,
  groupOf,
  type Link,
  linkOf,
} from "./links.ts";
import { decode, encode, NLM_F, type Request } from "./netlink.ts";
import {
  addressOf,
  getAddresses,
  getMulticast,
  getRoutes,
  getRouteTo,
  type KernelRoute,
  type LinkAddress,
  multicastOf,
  routeOf,
} from "./routes.ts";

/** A request that the kernel refused. */
export class KernelError extends SystemError {
  override readonly name = "KernelError";
}

/** A conversation with the kernel about one network namespace. */
export interface Kernel {
  readonly socket: number;
  sequence: number;
}

/**
 * Options of netlink(7): shorter acknowledgements, with the kernel's words, and
 * dumps that heed their filter.
 */
const CAP_ACK = 10;
const EXT_ACK = 11;
const GET_STRICT_CHK = 12;

/**
 * Opens a conversation about the network namespace that the thread is in.
 * @throws {SystemError}
 */
export function openKernel(): Kernel {
  return {
    socket: netlinkSocket([CAP_ACK, EXT_ACK, GET_STRICT_CHK]),
    sequence: 1,
  };
}

interface Answer {
  bodies: Uint8Array[];
  failure: { errno: number; text: string } | undefined;
}

/**
 * Sends requests as one datagram, which the kernel works through without a
 * pause, also after one that failed: a signal in between finds none or all done.
 */
function exchange(kernel: Kernel, requests: readonly Request[]): Answer[] {
  const first = kernel.sequence;
  kernel.sequence += requests.length;
  const answers = requests.map((): Answer => ({
    bodies: [],
    failure: undefined,
  }));
  let open = requests.length;
  send(kernel.socket, encode(requests, first));
  while (open > 0) {
    for (const reply of decode(receive(kernel.socket))) {
      const at = reply.sequence - first;
      const answer = answers[at];
      const request = requests[at];
      // What is left of an earlier exchange that was given up.
      if (answer === undefined || request === undefined) continue;
      switch (reply.kind) {
        case "data":
          answer.bodies.push(reply.body);
          if ((request.flags & (NLM_F.ACK | NLM_F.DUMP)) === 0) open--;
          break;
        case "error":
          answer.failure = { errno: reply.errno, text: reply.text };
          open--;
          break;
        case "done":
          // The table changed while it was read: list() asks again.
          if (reply.interrupted) {
            answer.failure = { errno: errno.EAGAIN, text: "" };
          }
          open--;
          break;
        case "ack":
          open--;
          break;
      }
    }
  }
  return answers;
}

/** As many requests as fit into a datagram whatever they hold. */
const batch = 8;

/**
 * Has the kernel do something.
 * @param step what it is, for the error: `give 10.244.1.2/24 to eth0`
 * @throws {KernelError} for the first request that failed
 */
export function change(
  kernel: Kernel,
  step: string,
  ...requests: readonly Request[]
): void {
  for (let at = 0; at < requests.length; at += batch) {
    for (
      const { failure } of exchange(kernel, requests.slice(at, at + batch))
    ) {
      if (failure !== undefined) {
        throw new KernelError(step, failure.errno, failure.text);
      }
    }
  }
}

/** The one answer to a question; undefined when what was asked for does not exist. */
function ask(
  kernel: Kernel,
  step: string,
  request: Request,
  absent: readonly number[],
): Uint8Array | undefined {
  const [answer] = exchange(kernel, [request]);
  const failure = answer?.failure;
  if (failure === undefined) return answer?.bodies[0];
  if (absent.includes(failure.errno)) return undefined;
  throw new KernelError(step, failure.errno, failure.text);
}

/** Every answer to a question about a table; asked again when the table changed meanwhile. */
function list(kernel: Kernel, step: string, request: Request): Uint8Array[] {
  for (let left = 10;; left--) {
    const [answer] = exchange(kernel, [request]);
    const failure = answer?.failure;
    if (failure === undefined) return answer?.bodies ?? [];
    if (failure.errno !== errno.EAGAIN || left === 0) {
      throw new KernelError(step, failure.errno, failure.text);
    }
  }
}

/**
 * The link of a name or index; undefined when there is none.
 * @throws {KernelError}
 */
export function link(kernel: Kernel, which: string | number): Link | undefined {
  const body = ask(kernel, `look for link ${which}`, getLink(which), [
    errno.ENODEV,
  ]);
  return body === undefined ? undefined : linkOf(body);
}

/**
 * Every link.
 * @throws {KernelError}
 */
export function links(kernel: Kernel): Link[] {
  return list(kernel, "list the links", getLinks()).map(linkOf);
}

/**
 * The groups that links are in.
 * @throws {KernelError}
 */
export function groups(kernel: Kernel): Set<number> {
  return new Set(list(kernel, "list the links", getGroups()).map(groupOf));
}

/**
 * The addresses of one family on a link.
 * @param network as for {@linkcode getAddresses}
 * @throws {KernelError}
 */
export function addresses(
  kernel: Kernel,
  family: Family,
  index: number,
  network?: number,
): LinkAddress[] {
  const request = getAddresses(family, index, network);
  return list(kernel, "list the addresses", request)
    .map(addressOf)
    .filter((found) => found.index === index);
}

/**
 * The multicast groups of IPv6 that a link listens to.
 * @throws {KernelError}
 */
export function multicastGroups(kernel: Kernel, index: number): Address[] {
  return list(kernel, "list the multicast groups", getMulticast(index))
    .map(multicastOf)
    .filter((found) => found.index === index)
    .map(({ group }) => group);
}

/**
 * The routes of one family, of all tables.
 * @throws {KernelError}
 */
export function routesOf(kernel: Kernel, family: Family): KernelRoute[] {
  return list(kernel, "list the routes", getRoutes(family)).map(routeOf);
}

/**
 * The route that the kernel would take to an address; undefined for none.
 * @throws {KernelError}
 */
export function routeTo(
  kernel: Kernel,
  address: Address,
): KernelRoute | undefined {
  const body = ask(kernel, "look for a route", getRouteTo(address), [
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.EACCES,
    errno.EINVAL,
    errno.ESRCH,
    errno.EAFNOSUPPORT,
  ]);
  return body === undefined ? undefined : routeOf(body);
}
