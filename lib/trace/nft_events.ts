/**
 * What `nft -a monitor` prints while packets are traced (nft(8), "monitor";
 * the kernel's nf_tables_trace.c). Pure. The form with -j has no traces, so the
 * lines for people are read.
 */

/** A packet as a line shows it: at one place, on its way. */
export interface SeenPacket {
  /** The link that it came in by. */
  readonly in?: string;
  /** The link that it leaves by. */
  readonly out?: string;
  /** The link-layer addresses of the frame that it came in. */
  readonly macSource?: string;
  readonly macDestination?: string;
  readonly source: string;
  readonly destination: string;
  /**
   * The IP packet's length, headers included; of IPv6 the payload's alone is
   * told, and the header is counted in.
   */
  readonly size_bytes?: number;
  /** How many routers may still pass it on (of IPv6 the hop limit). */
  readonly ttl?: number;
  readonly what:
    | {
      readonly protocol: "icmp";
      readonly type: "request" | "reply";
      readonly id: number;
    }
    | {
      readonly protocol: "tcp" | "udp";
      readonly sport: number;
      readonly dport: number;
    }
    | { readonly protocol: "other" };
}

/** Something that a packet met. */
export interface TraceEvent {
  /** Family and name, e.g. "ip filter". */
  readonly table: string;
  readonly chain: string;
  readonly packet: SeenPacket;
  /** The mark that the packet bears for the kernel's own use, once a chain is through. */
  readonly mark?: number;
  readonly met:
    /** It came into a base chain. */
    | { readonly is: "chain" }
    | {
      readonly is: "rule";
      /** The rule in nft's words. */
      readonly text: string;
      readonly handle?: number;
      /** accept, drop, continue, jump, … */
      readonly verdict: string;
    }
    /** The base chain's end. */
    | { readonly is: "policy"; readonly verdict: string };
}

/** The name of the table that makes the kernel tell; of no address family alone. */
export const ownTable = "deno-cni-trace";

/** Reads a monitor's lines; those that are not of packets are left out. */
export function parseEvents(text: string): readonly TraceEvent[] {
  const packets = new Map<string, SeenPacket>();
  return text.split("\n").flatMap((line): TraceEvent[] => {
    const [, id = "", table = "", chain = "", kind, rest = ""] =
      /^trace id (\S+) (\S+ \S+) (\S+) (packet:|rule|policy|verdict) ?(.*)$/
        .exec(line) ?? [];
    if (kind === undefined) return [];
    if (kind === "packet:") {
      const packet = parsePacket(rest);
      if (packet === undefined) return [];
      packets.set(id, packet);
      return [{ table, chain, packet, met: { is: "chain" } }];
    }
    const packet = packets.get(id);
    if (packet === undefined) return [];
    if (kind === "rule") {
      return [{ table, chain, packet, met: parseRule(rest) }];
    }
    const [, verdict = rest.trim(), mark] =
      /^(\w+) +meta mark (0x[0-9a-f]+)/.exec(rest) ?? [];
    const marked = mark === undefined ? {} : { mark: Number(mark) };
    const met = { is: "policy", verdict } as const;
    return [{ table, chain, packet, ...marked, met }];
  });
}

/** Whether the monitor told that the tracing table is gone: what came before is all there is. */
export function isWhole(text: string): boolean {
  return text.includes(`\ndelete table inet ${ownTable}`) ||
    text.startsWith(`delete table inet ${ownTable}`);
}

function parseRule(rest: string): TraceEvent["met"] {
  const [, body = rest, verdict = ""] =
    /^(.*?)\s*\(verdict (.*)\)\s*$/.exec(rest) ?? [];
  const [, text = body, handle] = /^(.*?)\s*# handle (\d+)$/.exec(body) ?? [];
  return {
    is: "rule",
    text: text.replace(/ +/g, " ").trim(),
    ...(handle === undefined ? {} : { handle: Number(handle) }),
    verdict,
  };
}

function parsePacket(text: string): SeenPacket | undefined {
  const field = (name: string) =>
    new RegExp(`(?:^| )${name} "?([^" ]+)`).exec(text)?.[1];
  const source = field("ip6? saddr");
  const destination = field("ip6? daddr");
  if (source === undefined || destination === undefined) return undefined;
  const length = field("ip length");
  const payload = field("ip6 length");
  const ttl = field("ip ttl") ?? field("ip6 hoplimit");
  const links = {
    in: field("iif"),
    out: field("oif"),
    macSource: field("ether saddr"),
    macDestination: field("ether daddr"),
  };
  return {
    ...defined(links),
    source,
    destination,
    ...(length !== undefined
      ? { size_bytes: Number(length) }
      : payload !== undefined
      ? { size_bytes: Number(payload) + 40 }
      : {}),
    ...(ttl === undefined ? {} : { ttl: Number(ttl) }),
    what: whatOf(field),
  };
}

function whatOf(
  field: (name: string) => string | undefined,
): SeenPacket["what"] {
  // Of ICMPv6, nft 1.0 shows identifier and sequence number as one number of 32 bits.
  const both = field("icmpv6 parameter-problem");
  const id = field("icmp(?:v6)? id") ??
    (both === undefined ? undefined : Number(both) >>> 16);
  const type = field("icmp(?:v6)? type");
  if (id !== undefined && type?.startsWith("echo-")) {
    return {
      protocol: "icmp",
      type: type === "echo-request" ? "request" : "reply",
      id: Number(id),
    };
  }
  for (const protocol of ["tcp", "udp"] as const) {
    const sport = field(`${protocol} sport`);
    const dport = field(`${protocol} dport`);
    if (sport !== undefined && dport !== undefined) {
      return { protocol, sport: Number(sport), dport: Number(dport) };
    }
  }
  return { protocol: "other" };
}

type Defined<Shape> = { [Key in keyof Shape]?: Exclude<Shape[Key], undefined> };

function defined<Shape extends Record<string, string | undefined>>(
  shape: Shape,
): Defined<Shape> {
  return Object.fromEntries(
    Object.entries(shape).filter(([, value]) => value !== undefined),
  ) as Defined<Shape>;
}
