/**
 * Netlink's framing, out and in: headers, attributes, acknowledgements; pure.
 * Source: netlink(7) and Linux `include/uapi/linux/netlink.h`.
 */

import { decodeUtf8, encoder } from "../linux/utf8.ts";

/** Flags of a message's header. */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  EXCL: 0x200,
  CREATE: 0x400,
  DUMP: 0x300,
} as const;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_DUMP_INTR = 0x10;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSGERR_ATTR_MSG = 1;
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 16;

/**
 * Bytes as they are, or an attribute: its value bytes, a number (32 bits), a
 * text or parts within it.
 */
export type Part =
  | Uint8Array
  | readonly [
    type: number,
    value: Uint8Array | number | string | readonly Part[],
  ];

/** A request: its type, flags, and what follows the header. */
export interface Request {
  type: number;
  flags: number;
  parts: readonly Part[];
}

/** The requests as one datagram of at most 8 KiB, numbered from `sequence` on. */
export function encode(
  requests: readonly Request[],
  sequence: number,
): Uint8Array {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const request of requests) {
    const end = writeParts(bytes, view, at + HEADER, request.parts);
    view.setUint32(at, end - at, true);
    view.setUint16(at + 4, request.type, true);
    view.setUint16(at + 6, request.flags | NLM_F.REQUEST, true);
    view.setUint32(at + 8, sequence++, true);
    at = aligned(end);
  }
  return bytes.subarray(0, at);
}

function writeParts(
  bytes: Uint8Array,
  view: DataView,
  from: number,
  parts: readonly Part[],
): number {
  let at = from;
  for (const part of parts) {
    at = aligned(at);
    if (part instanceof Uint8Array) {
      bytes.set(part, at);
      at += part.length;
      continue;
    }
    const [type, value] = part;
    let end = at + 4;
    if (typeof value === "number") {
      view.setUint32(end, value, true);
      end += 4;
    } else if (typeof value === "string") {
      // The text's end is a NUL, which the fresh buffer already holds.
      end += encoder.encodeInto(value, bytes.subarray(end)).written + 1;
    } else if (value instanceof Uint8Array) {
      bytes.set(value, end);
      end += value.length;
    } else {
      end = writeParts(bytes, view, end, value);
    }
    view.setUint16(at, end - at, true);
    view.setUint16(at + 2, type, true);
    at = end;
  }
  return at;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** What the kernel sent back, a message each. */
type Reply =
  | { kind: "data"; sequence: number; type: number; body: Uint8Array }
  | { kind: "done"; sequence: number; interrupted: boolean }
  | { kind: "ack"; sequence: number }
  | { kind: "error"; sequence: number; errno: number; text: string };

/** The messages of a datagram. */
export function decode(datagram: Uint8Array): Reply[] {
  const replies: Reply[] = [];
  const view = viewOf(datagram);
  let interrupted = false;
  for (let at = 0; at + HEADER <= datagram.length;) {
    const length = view.getUint32(at, true);
    if (length < HEADER || at + length > datagram.length) break;
    const type = view.getUint16(at + 4, true);
    const flags = view.getUint16(at + 6, true);
    const sequence = view.getUint32(at + 8, true);
    const body = datagram.subarray(at + HEADER, at + length);
    interrupted ||= (flags & NLM_F_DUMP_INTR) !== 0;
    if (type === NLMSG_ERROR) {
      const errno = -view.getInt32(at + HEADER, true);
      replies.push(
        errno === 0
          ? { kind: "ack", sequence }
          : { kind: "error", sequence, errno, text: errorText(body, flags) },
      );
    } else if (type === NLMSG_DONE) {
      // A dump that fails midway says so in its last message.
      const errno = body.length >= 4 ? -view.getInt32(at + HEADER, true) : 0;
      replies.push(
        errno > 0
          ? { kind: "error", sequence, errno, text: "" }
          : { kind: "done", sequence, interrupted },
      );
    } else {
      // A copy: the buffer is used again for the next datagram.
      replies.push({ kind: "data", sequence, type, body: body.slice() });
    }
    at += aligned(length);
  }
  return replies;
}

/** The kernel's own words (NLMSGERR_ATTR_MSG), where it said any. */
function errorText(body: Uint8Array, flags: number): string {
  if ((flags & NLM_F_ACK_TLVS) === 0) return "";
  const echoed = (flags & NLM_F_CAPPED) !== 0
    ? HEADER
    : viewOf(body).getUint32(4, true);
  const words = attributes(body, 4 + aligned(echoed)).get(NLMSGERR_ATTR_MSG);
  return words === undefined ? "" : textOf(words);
}

/** The attributes from an offset on, by type; of a repeated one the last. */
export function attributes(
  body: Uint8Array,
  from: number,
): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const view = viewOf(body);
  for (let at = from; at + 4 <= body.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > body.length) break;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    found.set(type, body.subarray(at + 4, at + length));
    at += aligned(length);
  }
  return found;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** A text without the NUL that ends it. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeUtf8(end === -1 ? bytes : bytes.subarray(0, end));
}

/** A 32-bit number. */
export function numberOf(bytes: Uint8Array): number {
  return bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0, true);
}
