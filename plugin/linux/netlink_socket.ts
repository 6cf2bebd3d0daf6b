/** Sockets of netlink(7): what the kernel is asked by and tells by. */

import {
  incoming,
  noteOpened,
  outgoing,
  received,
  system,
  SystemError,
} from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;

/**
 * A socket to rtnetlink(7) of the thread's present network namespace; it stays
 * with that namespace wherever the thread goes.
 * @param options numbers of netlink(7) options to switch on; one that an older
 * kernel does not know is left out
 * @throws {SystemError}
 */
export function netlinkSocket(options: readonly number[]): number {
  const type = SOCK_RAW | SOCK_CLOEXEC;
  const socket = noteOpened(
    system("socket", AF_NETLINK, type, NETLINK_ROUTE),
  );
  for (const option of options) {
    try {
      setOption(socket, SOL_NETLINK, option, 1);
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
    }
  }
  return socket;
}

function setOption(
  socket: number,
  level: number,
  option: number,
  value: number,
): void {
  const bytes = new Uint8Array(Int32Array.of(value).buffer);
  system("setsockopt", socket, level, option, outgoing(bytes), bytes.length);
}

/**
 * Gives a netlink socket an address of the kernel's choice: without one it is
 * told of nothing that it has not asked for; netlink(7).
 * @throws {SystemError}
 */
export function bindNetlink(socket: number): void {
  const address = new Uint8Array(12); // struct sockaddr_nl
  address[0] = AF_NETLINK;
  system("bind", socket, outgoing(address), address.length);
}

/**
 * Has the kernel tell a socket of {@linkcode bindNetlink} what happens to the
 * members of a group, or no more; netlink(7), NETLINK_ADD_MEMBERSHIP.
 * @throws {SystemError}
 */
export function setMembership(
  socket: number,
  group: number,
  member: boolean,
): void {
  const [ADD_MEMBERSHIP, DROP_MEMBERSHIP] = [1, 2];
  const option = member ? ADD_MEMBERSHIP : DROP_MEMBERSHIP;
  setOption(socket, SOL_NETLINK, option, group);
}

/**
 * Gives a socket room for so many bytes that wait to be received, or for as many
 * as it has where that is not allowed; socket(7), SO_RCVBUFFORCE.
 */
export function setReceiveRoom(socket: number, size: number): void {
  try {
    setOption(socket, SOL_SOCKET, SO_RCVBUFFORCE, size);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
}

/**
 * Sends one datagram.
 * @throws {SystemError}
 */
export function send(socket: number, datagram: Uint8Array): void {
  system("sendto", socket, outgoing(datagram), datagram.length);
}

/**
 * Waits for one datagram.
 * @returns a view that the next system call overwrites
 * @throws {SystemError} ENOBUFS when the kernel dropped answers
 */
export function receive(socket: number): Uint8Array {
  const { address, size } = incoming();
  return received(system("recvfrom", socket, address, size));
}
