/** What a node's end of the tunnels has to be, and what of a link is otherwise. Pure. */
/** What a node's end of the tunnels has to be. */
export interface TunnelEnd {
  readonly vni: number;
  readonly port: number;
  /** The node's own address, from which the UDP packets come. */
  readonly local: string;
  readonly mac: string;
}

/** A link as `ip -j -d` tells it, in what is asked here. */
export interface TunnelLink {
  readonly ifname?: string;
  readonly link_netnsid?: number;
  readonly flags?: readonly string[];
  readonly ifalias?: string;
  readonly master?: string;
  readonly mtu?: number;
  readonly address?: string;
  readonly linkinfo?: {
    readonly info_kind?: string;
    readonly info_data?: VxlanOptions;
  };
}

/** What a VXLAN link was made with (ip-link(8)). */
interface VxlanOptions {
  readonly id?: number;
  readonly port?: number;
  readonly local?: string;
  readonly local6?: string;
  readonly learning?: boolean;
  readonly ttl?: number;
  /** Of what else there is, each means that nothing is sent as it should be. */
  readonly [option: string]: unknown;
}

/**
 * Options that other ends do not have, or that lead packets elsewhere, by the
 * names that `ip` shows them by.
 */
const strange: Readonly<Record<string, string>> = {
  external: "external",
  group: "group",
  group6: "group",
  remote: "remote",
  remote6: "remote",
  link: "dev",
  proxy: "proxy",
  rsc: "rsc",
  gbp: "gbp",
  gpe: "gpe",
  remcsum_tx: "remcsumtx",
  udp_zero_csum6_tx: "udp6zerocsumtx",
  ttl: "ttl",
};

/**
 * What of a tunnel's end is not as it should be, in words; none where all is.
 *
 * @param link as `ip -j -d link` tells it
 */
export function otherwise(link: TunnelLink, end: TunnelEnd): string[] {
  const kind = link.linkinfo?.info_kind ?? "link without a kind";
  if (kind !== "vxlan") return [`it is a ${kind}, not a vxlan`];
  const options = link.linkinfo?.info_data ?? {};
  const { id, port, local, local6, learning } = options;
  const own = local ?? local6;
  return [
    ...(id === end.vni ? [] : [`its VNI is ${id}, not ${end.vni}`]),
    ...(port === end.port ? [] : [`its port is ${port}, not ${end.port}`]),
    ...(own === end.local ? [] : [
      `its packets come from ${
        own ?? "any address of the node"
      }, not from ${end.local}`,
    ]),
    ...(link.address === end.mac
      ? []
      : [`its MAC is ${link.address}, not ${end.mac}`]),
    ...(learning ? ["it learns where MACs are from what comes in"] : []),
    ...Object.entries(strange).flatMap(([name, option]) => {
      const value = options[name];
      if (!value) return [];
      const text = value === true ? option : `${option} ${value}`;
      return [`it has the option "${text}"`];
    }),
    ...(link.master === undefined
      ? []
      : [`it is a port of ${link.master}, which takes all that comes by it`]),
  ];
}
