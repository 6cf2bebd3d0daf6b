/** What the agent keeps of a Node object (core/v1): a hundredth of it. Pure. */
import {
  addressNumber,
  addressText,
  CidrError,
  familyOf,
  formatCidr,
  parseCidr,
} from "../net/cidr.ts";

/** A node, as far as other nodes' routes depend on it. */
export interface NodeRecord {
  readonly name: string;
  readonly isControlPlane: boolean;
  /** Its InternalIPs, one a family. */
  readonly addresses: readonly string[];
  /** Its podCIDRs, one a family; none where nothing gave it any. */
  readonly podCIDRs: readonly string[];
  /** Where it says that its tunnels end: told for people, and compared with what is. */
  readonly vtep?: string;
  readonly vtepMac?: string;
  /** Its condition NetworkUnavailable is not False: a cloud waits for its network. */
  readonly networkUnavailable?: true;
}

/** What a node says of its end of the tunnels. */
export const annotation = {
  vtepAddress: "deno-cni/vtep-address",
  vtepMac: "deno-cni/vtep-mac",
} as const;

interface NodeObject {
  readonly metadata?: {
    readonly name?: unknown;
    readonly labels?: Readonly<Record<string, unknown>>;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
  readonly spec?: { readonly podCIDR?: unknown; readonly podCIDRs?: unknown };
  readonly status?: {
    readonly addresses?: readonly {
      readonly type?: unknown;
      readonly address?: unknown;
    }[];
    readonly conditions?: readonly {
      readonly type?: unknown;
      readonly status?: unknown;
    }[];
  };
}

/** Before 1.20, the role had another name. */
const controlPlaneLabels = ["control-plane", "master"]
  .map((role) => `node-role.kubernetes.io/${role}`);

/** Reads a Node object; what is not as it should be in it is left out. */
export function readNode(value: unknown): NodeRecord {
  const { metadata, spec, status } = (value ?? {}) as NodeObject;
  const labels = metadata?.labels ?? {};
  const annotations = metadata?.annotations ?? {};
  const addresses = listed(status?.addresses)
    .filter(({ type }) => type === "InternalIP")
    .map(({ address }) => address);
  const given = Array.isArray(spec?.podCIDRs) ? spec.podCIDRs : [spec?.podCIDR];
  const vtep = annotations[annotation.vtepAddress];
  const vtepMac = annotations[annotation.vtepMac];
  const unavailable = listed(status?.conditions).some(({ type, status }) =>
    type === "NetworkUnavailable" && status !== "False"
  );
  return {
    name: String(metadata?.name ?? ""),
    isControlPlane: controlPlaneLabels.some((label) => label in labels),
    addresses: oneAFamily(addresses.filter(isAddress).map(plainAddress)),
    podCIDRs: oneAFamily(given.filter(isCidr).map(plainCidr)),
    ...(typeof vtep === "string" ? { vtep } : {}),
    ...(typeof vtepMac === "string" ? { vtepMac } : {}),
    ...(unavailable ? { networkUnavailable: true } : {}),
  };
}

/**
 * Whether there is nothing to do about the difference of the two.
 *
 * @param isOwn whether it is the agent's own node, of which it tells more
 */
export function isSameNode(
  a: NodeRecord,
  b: NodeRecord | undefined,
  isOwn: boolean,
): boolean {
  if (b === undefined) return false;
  const of = (
    { name, isControlPlane, addresses, podCIDRs, ...own }: NodeRecord,
  ) =>
    JSON.stringify([
      ...[name, isControlPlane, addresses, podCIDRs],
      isOwn ? [own.vtep, own.vtepMac, own.networkUnavailable] : [],
    ]);
  return of(a) === of(b);
}

/** As the kernel prints it: what is compared with the kernel's has to be alike as text. */
function plainAddress(address: string): string {
  return addressText(addressNumber(address), familyOf(address));
}

function plainCidr(cidr: string): string {
  return formatCidr(parseCidr(cidr));
}

/** The objects of a list; none where it is none. */
function listed<Item extends object>(
  list: readonly (Item | null)[] | undefined,
): Item[] {
  return Array.isArray(list)
    ? list.filter((one) => typeof one === "object" && one !== null)
    : [];
}

function oneAFamily(texts: readonly string[]): string[] {
  return texts.filter((text, at) =>
    texts.findIndex((other) => familyOf(other) === familyOf(text)) === at
  );
}

function isAddress(value: unknown): value is string {
  if (typeof value !== "string" || value.includes("/")) return false;
  return isCidr(`${value}/${value.includes(":") ? 128 : 32}`);
}

function isCidr(value: unknown): value is string {
  if (typeof value !== "string") return false;
  try {
    parseCidr(value);
    return true;
  } catch (error) {
    if (error instanceof CidrError) return false;
    throw error;
  }
}
