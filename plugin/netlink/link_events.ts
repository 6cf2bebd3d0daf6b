/**
 * The kernel's own word that links are gone. It tells it (rtnetlink(7),
 * RTNLGRP_LINK) as soon as no name, no table and no packet on its way leads to
 * them, and acknowledges the removal only when their memory is free: 0.6 ms and
 * 16 ms after it was asked. Their folders in sysfs go right after the word, within
 * the lock under which it is given.
 */

import { SystemError } from "../linux/libc.ts";
import {
  bindNetlink,
  receive,
  setMembership,
  setReceiveRoom,
} from "../linux/netlink_socket.ts";
import { POLL, poll } from "../linux/pipes.ts";
import { RTM_DELLINK } from "./links.ts";
import { decode, numberOf } from "./netlink.ts";
import { openKernel } from "./rtnetlink.ts";

const RTNLGRP_LINK = 1;
const AF_UNSPEC = 0;

/** A removal of some dozens of links is told in several messages each. */
const room_bytes = 4 << 20;

interface LinkEvents {
  /** Can be read when something was told. */
  readonly descriptor: number;
  /** Hears, or hears no more. */
  listen(on: boolean): void;
  /** The indexes of links that are gone, of what was told since. */
  gone(): number[];
}

/** Opens them for the network namespace that the thread is in; not heard at first. */
export function openLinkEvents(): LinkEvents {
  const { socket } = openKernel();
  bindNetlink(socket);
  setReceiveRoom(socket, room_bytes);

  function told(): boolean {
    return poll([{ descriptor: socket, events: POLL.IN }], 0)[0] !== 0;
  }

  function gone(): number[] {
    const found: number[] = [];
    while (told()) {
      for (const reply of nextReplies(socket)) {
        if (reply.kind !== "data") continue;
        const index = goneLink(reply.type, reply.body);
        if (index !== undefined) found.push(index);
      }
    }
    return found;
  }

  return {
    descriptor: socket,
    gone,
    listen(on) {
      setMembership(socket, RTNLGRP_LINK, on);
      if (!on) gone();
    },
  };
}

function nextReplies(socket: number): ReturnType<typeof decode> {
  try {
    return decode(receive(socket));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    return []; // ENOBUFS: some was told and lost; the acknowledgement comes in any case.
  }
}

/**
 * The index of the link that a message tells to be gone; undefined for another
 * message. A bridge says the same of its ports, as a family of its own.
 */
function goneLink(type: number, body: Uint8Array): number | undefined {
  if (type !== RTM_DELLINK || body[0] !== AF_UNSPEC) return undefined;
  return numberOf(body.subarray(4));
}
