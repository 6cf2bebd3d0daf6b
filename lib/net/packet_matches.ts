/** Whether a packet is what a match of iptables asks for. Pure. */

/** What a packet carries. */
export interface Carried {
  /** Whether it answers a packet that went the other way (conntrack's ESTABLISHED). */
  readonly reply: boolean;
  /** TCP, where that is not said. */
  readonly protocol?: "tcp" | "udp" | "icmp";
  /** The port that it is for, or, of a reply, from; any, where that is not said. */
  readonly port?: number;
}

/** Whether a packet is of a protocol, by its name or its number. */
export function isProtocol(
  value: string,
  { protocol = "tcp" }: Carried,
): boolean {
  return {
    icmp: /^(icmp|ipv6-icmp|icmpv6|1|58)$/,
    tcp: /^(tcp|6)$/,
    udp: /^(udp|17)$/,
  }[protocol].test(value);
}

/** Whether a type of ICMP is that of a ping, or of its answer (RFC 792, RFC 4443). */
export function isEcho(value: string, { protocol, reply }: Carried): boolean {
  const types = reply
    ? ["0", "129", "echo-reply", "any"]
    : ["8", "128", "echo-request", "any"];
  return protocol === "icmp" && types.includes(value);
}

/** Whether a packet's port is in one of FROM:TO,…; undefined where that end's is not known. */
export function isPort(
  value: string,
  { port, reply }: Carried,
  isSource: boolean,
): boolean | undefined {
  if (port === undefined || reply !== isSource) return undefined;
  return /^[\d:,]+$/.test(value)
    ? value.split(",").some((range) => inRange(port, range))
    : undefined;
}

/** How long most packets are, as far as rules tell them apart by it. */
export const usual_bytes = 84;

/** Whether a number is in FROM:TO, either of which may be left out. */
export function inRange(number: number, range: string): boolean {
  const [from = "", to = from] = range.split(":");
  return number >= Number(from || 0) && number <= Number(to || Infinity);
}
