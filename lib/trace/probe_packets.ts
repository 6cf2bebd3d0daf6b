/** The packets that a trace sends. Pure. */
import type { Family } from "../net/cidr.ts";
import { cmd, type Command } from "../exec/command.ts";
import { url } from "../verify/http_calls.ts";
import type { PacketKind } from "./report.ts";

/** A packet to send, and the command that does. */
export interface Sending {
  readonly kind: PacketKind;
  readonly command: Command;
  readonly size_bytes?: number;
  /** The identifier of an echo request. */
  readonly id?: number;
  /** The server that a request goes to, under all names that it has on the way. */
  readonly servers?: readonly Server[];
}

/** A server, as packets name it. */
export interface Server {
  readonly protocol: "tcp" | "udp";
  readonly address: string;
  readonly port: number;
}

/** How long an answer is waited for: nothing is far away in a cluster. */
const timeout_seconds = 0.7;

/** The same, on a path that has answered already. */
export const soon_seconds = 0.3;

/** How many bytes of headers an echo request has. */
const headers_bytes = { 4: 20 + 8, 6: 40 + 8 } as const;

/** What to call instead of a web server of stage 09. */
export type CalledPort = Pick<Server, "protocol" | "port">;

/**
 * The packets of a trace.
 *
 * @param address that is called
 * @param server that answers there, if one is known
 * @param call what the user wants called
 * @param mtu of the sender's link
 * @param ids identifiers for the echo requests
 */
export function probePackets(
  { address, server, call, family, mtu, ids }: {
    readonly address: string;
    readonly server?: number;
    readonly call?: CalledPort;
    readonly family: Family;
    readonly mtu: number;
    readonly ids: readonly [number, number];
  },
): readonly Sending[] {
  return [
    ...(call !== undefined
      ? [callOf(address, call)]
      : server === undefined
      ? []
      : [request(address, server)]),
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

function request(address: string, port: number): Sending {
  const page = url(address, port);
  return {
    kind: "request",
    command: cmd`timeout ${timeout_seconds} busybox wget -qO- ${page}`,
    servers: [{ protocol: "tcp", address, port }],
  };
}

/** A connection, or a datagram whose answer is waited for; bash has both as files. */
function callOf(address: string, { protocol, port }: CalledPort): Sending {
  const isTCP = protocol === "tcp";
  const open = `exec 3<>"/dev/${protocol}/$0/$1"`;
  const script = isTCP ? open : `${open}; echo >&3; head -c 1 <&3 >/dev/null`;
  return {
    kind: isTCP ? "connection" : "datagram",
    command:
      cmd`timeout ${timeout_seconds} bash -c ${script} ${address} ${port}`,
    servers: [{ protocol, address, port }],
  };
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
