/** The packets that a trace sends. Pure. */
import type { Family } from "../net/cidr.ts";
import { cmd, type Command } from "../exec/command.ts";
import { url } from "../verify/http_calls.ts";
import { nodePort } from "../verify/namespace_pods.ts";
import type { PacketKind } from "./report.ts";
import type { End } from "./endpoints.ts";

/** A packet to send, and the command that does. */
export interface Sending {
  readonly kind: PacketKind;
  readonly command: Command;
  readonly size_bytes?: number;
  /** The identifier of an echo request. */
  readonly id?: number;
  /** The server that a request goes to. */
  readonly server?: { readonly address: string; readonly port: number };
}

/** How long an answer is waited for: nothing is far away in a cluster. */
const timeout_seconds = 0.7;

/** The same, on a path that has answered already. */
export const soon_seconds = 0.3;

/** How many bytes of headers an echo request has. */
const headers_bytes = { 4: 20 + 8, 6: 40 + 8 } as const;

/**
 * The packets of a trace.
 *
 * @param serving whether a server of stage 09 answers at the receiver
 * @param mtu of the sender's link
 * @param ids identifiers for the echo requests
 */
export function probePackets(
  to: End,
  serving: boolean,
  family: Family,
  mtu: number,
  ids: readonly [number, number],
): readonly Sending[] {
  const { address } = to;
  const port = to.pod === undefined ? nodePort : 80;
  const request = url(address, port);
  return [
    ...(!serving ? [] : [{
      kind: "request" as const,
      command: cmd`timeout ${timeout_seconds} busybox wget -qO- ${request}`,
      server: { address, port },
    }]),
    {
      kind: "ping",
      command: echo(address, ids[0], []),
      size_bytes: 56 + headers_bytes[family],
      id: ids[0],
    },
    {
      kind: "full-mtu",
      command: largest(address, ids[1], mtu, family),
      size_bytes: mtu,
      id: ids[1],
    },
  ];
}

/** An echo request of exactly this length that may not be cut in pieces. */
export function largest(
  address: string,
  id: number,
  size_bytes: number,
  family: Family,
  limit_seconds = timeout_seconds,
): Command {
  const payload = size_bytes - headers_bytes[family];
  const flags = ["-M", "do", "-s", String(payload)];
  return echo(address, id, flags, limit_seconds);
}

function echo(
  address: string,
  id: number,
  flags: readonly string[],
  limit_seconds = timeout_seconds,
): Command {
  return cmd`ping -n -c 1 -W ${limit_seconds} -e ${id} ${flags} ${address}`;
}
