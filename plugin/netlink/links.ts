/**
 * Links as values, to and from rtnetlink's messages; pure.
 * Source: rtnetlink(7), and Linux `include/uapi/linux/`
 * {rtnetlink,if_link,veth}.h for the numbers.
 */

import {
  attributes,
  NLM_F,
  numberOf,
  type Part,
  type Request,
  textOf,
} from "./netlink.ts";

/** Message types; DELLINK removes a link, and tells that one is gone. */
export const RTM_DELLINK = 17;
const RTM = { NEWLINK: 16, GETLINK: 18, SETLINK: 19 } as const;

/** The flag of a link that is up. */
const IFF_UP = 0x1;

/** Attributes of a link. */
const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
  LINK_NETNSID: 37,
  /** Inside LINKINFO. */
  INFO_KIND: 1,
  INFO_DATA: 2,
  INFO_SLAVE_KIND: 4,
  INFO_SLAVE_DATA: 5,
  /** Inside INFO_DATA of a veth. */
  VETH_INFO_PEER: 1,
  /** Inside INFO_SLAVE_DATA of a bridge's port. */
  BRPORT_STATE: 1,
  BRPORT_MODE: 4,
} as const;

/** `struct ifinfomsg`, of the link at an index or of one to be named by IFNAME. */
function linkHeader(
  { index = 0, up = false }: {
    index?: number;
    up?: boolean;
  } = {},
): Uint8Array {
  const bytes = new Uint8Array(16);
  const view = new DataView(bytes.buffer);
  view.setInt32(4, index, true);
  view.setUint32(8, up ? IFF_UP : 0, true);
  view.setUint32(12, up ? IFF_UP : 0, true);
  return bytes;
}

const change = NLM_F.ACK;
const create = NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;

/** A link as the kernel describes it. */
export interface Link {
  index: number;
  name: string;
  /** `bridge`, `veth`; "" for a device that is none of the kernel's making. */
  kind: string;
  /** `02:42:0a:f4:01:02`; "" for a link without one. */
  mac: string;
  mtu: number;
  alias: string;
  /** Index of the bridge whose port it is; 0 for none. */
  master: number;
  up: boolean;
  /** The bridge's port passes frames, or the link is no port. */
  forwarding: boolean;
  hairpin: boolean;
  /** Index of the other end of a veth, in the network namespace of `peerNetwork`. */
  peer: number;
  /** The number that the kernel gives that namespace here; undefined for this one or none. */
  peerNetwork: number | undefined;
  /** What each family keeps for it, for settings.ts. */
  families: Uint8Array;
}

/** Asks for one link, by name or index. */
export function getLink(link: string | number): Request {
  return { type: RTM.GETLINK, flags: 0, parts: addressed(link) };
}

/** Asks for all links. */
export function getLinks(): Request {
  return { type: RTM.GETLINK, flags: NLM_F.DUMP, parts: [linkHeader()] };
}

/** Makes a bridge that is down, with a MAC of its own, which joining ports then do not change. */
export function newBridge(name: string, mac: Uint8Array): Request {
  return {
    type: RTM.NEWLINK,
    flags: create,
    parts: [
      linkHeader(),
      [IFLA.IFNAME, name],
      [IFLA.ADDRESS, mac],
      [IFLA.LINKINFO, [[IFLA.INFO_KIND, "bridge"]]],
    ],
  };
}

/** The pod's end of a veth pair in the making. */
interface PodEnd {
  name: string;
  mac: Uint8Array;
  /** Descriptor of its network namespace. */
  network: number;
}

/**
 * Makes a veth pair: one end here, up, a port of the bridge; the other in the
 * pod, down (the kernel refuses to make it up in the same step).
 */
export function newVeth(
  hostName: string,
  pod: PodEnd,
  bridge: number,
  mtu: number,
): Request {
  const peer: Part[] = [
    linkHeader(),
    [IFLA.IFNAME, pod.name],
    [IFLA.MTU, mtu],
    [IFLA.NET_NS_FD, pod.network],
    [IFLA.ADDRESS, pod.mac],
  ];
  return {
    type: RTM.NEWLINK,
    flags: create,
    parts: [
      linkHeader({ up: true }),
      [IFLA.IFNAME, hostName],
      [IFLA.MTU, mtu],
      [IFLA.MASTER, bridge],
      [IFLA.LINKINFO, [
        [IFLA.INFO_KIND, "veth"],
        [IFLA.INFO_DATA, [[IFLA.VETH_INFO_PEER, peer]]],
      ]],
    ],
  };
}

/** Writes a link's alias. */
export function setAlias(link: string | number, alias: string): Request {
  return {
    type: RTM.SETLINK,
    flags: change,
    parts: [...addressed(link), [IFLA.IFALIAS, alias]],
  };
}

/** Lets a bridge send frames back out of the port they came in by. */
export function setHairpin(port: string): Request {
  return {
    type: RTM.NEWLINK,
    flags: change,
    parts: [...addressed(port), [IFLA.LINKINFO, [
      [IFLA.INFO_SLAVE_KIND, "bridge"],
      [IFLA.INFO_SLAVE_DATA, [[IFLA.BRPORT_MODE, Uint8Array.of(1)]]],
    ]]],
  };
}

/**
 * Asks for a link that the kernel cannot make, for its MAC is that of a group.
 * It says so (EADDRNOTAVAIL) only to a process that may make links, and
 * only of a kind that it knows. Nothing is made.
 */
export function impossibleLink(kind: "bridge" | "veth"): Request {
  return {
    type: RTM.NEWLINK,
    flags: create,
    parts: [
      linkHeader(),
      [IFLA.ADDRESS, Uint8Array.of(1, 0, 0x5e, 0, 0, 1)],
      [IFLA.LINKINFO, [[IFLA.INFO_KIND, kind]]],
    ],
  };
}

/**
 * Gives a link a MAC, also the one that it has: the kernel then announces the
 * link's addresses where the settings arp_notify and ndisc_notify ask for it.
 */
export function setMac(link: number, mac: Uint8Array): Request {
  return {
    type: RTM.SETLINK,
    flags: change,
    parts: [linkHeader({ index: link }), [IFLA.ADDRESS, mac]],
  };
}

/** Brings a link up. */
export function setUp(link: number): Request {
  return {
    type: RTM.SETLINK,
    flags: change,
    parts: [linkHeader({ index: link, up: true })],
  };
}

/** Removes a link; of a veth, both ends. */
export function deleteLink(link: number): Request {
  return {
    type: RTM_DELLINK,
    flags: change,
    parts: [linkHeader({ index: link })],
  };
}

/** Puts a link into a group, a number for several links together; all are in 0 unless told. */
export function setGroup(link: number, group: number): Request {
  return {
    type: RTM.SETLINK,
    flags: change,
    parts: [linkHeader({ index: link }), [IFLA.GROUP, group]],
  };
}

/** Removes every link of a group in one step: the kernel waits once for all of them. */
export function deleteGroup(group: number): Request {
  const parts: Part[] = [linkHeader(), [IFLA.GROUP, group]];
  return { type: RTM_DELLINK, flags: change, parts };
}

/** Asks for all links, without the counters that are most of an answer. */
export function getGroups(): Request {
  const RTEXT_FILTER_SKIP_STATS = 8;
  return {
    type: RTM.GETLINK,
    flags: NLM_F.DUMP,
    parts: [linkHeader(), [IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS]],
  };
}

/** The group of a link, of an answer to {@linkcode getGroups}. */
export function groupOf(body: Uint8Array): number {
  return numberOf(attributes(body, 16).get(IFLA.GROUP) ?? none);
}

function addressed(link: string | number): Part[] {
  return typeof link === "number"
    ? [linkHeader({ index: link })]
    : [linkHeader(), [IFLA.IFNAME, link]];
}

/** The link of an answer to {@linkcode getLink}. */
export function linkOf(body: Uint8Array): Link {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  const found = attributes(body, 16);
  const text = (type: number) => textOf(found.get(type) ?? none);
  const info = attributes(found.get(IFLA.LINKINFO) ?? none, 0);
  const port = attributes(info.get(IFLA.INFO_SLAVE_DATA) ?? none, 0);
  const state = port.get(IFLA.BRPORT_STATE);
  const network = found.get(IFLA.LINK_NETNSID);
  return {
    index: view.getInt32(4, true),
    name: text(IFLA.IFNAME),
    kind: textOf(info.get(IFLA.INFO_KIND) ?? none),
    mac: formatMac(found.get(IFLA.ADDRESS) ?? none),
    mtu: numberOf(found.get(IFLA.MTU) ?? none),
    alias: text(IFLA.IFALIAS),
    master: numberOf(found.get(IFLA.MASTER) ?? none),
    up: (view.getUint32(8, true) & IFF_UP) !== 0,
    forwarding: state === undefined || state[0] === BR_STATE_FORWARDING,
    hairpin: port.get(IFLA.BRPORT_MODE)?.[0] === 1,
    peer: numberOf(found.get(IFLA.LINK) ?? none),
    peerNetwork: network === undefined ? undefined : numberOf(network),
    families: found.get(IFLA.AF_SPEC) ?? none,
  };
}

const none = new Uint8Array(0);
const BR_STATE_FORWARDING = 3;

/** `02:42:0a:f4:01:02`. */
function formatMac(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(
    ":",
  );
}

/** The six bytes of a MAC in that form. */
export function parseMac(mac: string): Uint8Array {
  return Uint8Array.from(mac.split(":"), (byte) => parseInt(byte, 16));
}
