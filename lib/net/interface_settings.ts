/**
 * The settings that a kernel has once for all interfaces and once for each, and
 * how it makes one value of the two (Documentation/networking/ip-sysctl.rst, and
 * include/linux/inetdevice.h for what that leaves open). Pure.
 */
import type { Family } from "./cidr.ts";

/**
 * How `all` and the interface's own value become the one that counts. `default`
 * is what interfaces begin with; it never counts for one that exists.
 */
type Combination =
  /** The interface's own; writing `all` writes those of the interfaces. */
  | "own"
  /** That of `all`, whatever the interface says. */
  | "all"
  | "and"
  | "or"
  | "greater"
  | "smaller"
  /** `and` where the interface forwards, else `or`. */
  | "and where forwarding, else or"
  /** The interface's own where it does not forward; 0 where it does. */
  | "own where not forwarding";

interface InterfaceSetting {
  readonly family: Family;
  readonly name: string;
  readonly combined: Combination;
}

const setting = (
  family: Family,
  combined: Combination,
  ...names: readonly string[]
): readonly InterfaceSetting[] =>
  names.map((name) => ({ family, name, combined }));

/** All that bear on what becomes of a pod's packets. */
export const interfaceSettings: readonly InterfaceSetting[] = [
  ...setting(4, "own", "forwarding"),
  ...setting(4, "greater", "rp_filter", "arp_ignore", "arp_announce"),
  ...setting(4, "or", "arp_filter", "proxy_arp", "proxy_arp_pvlan"),
  ...setting(4, "or", "send_redirects", "secure_redirects"),
  ...setting(4, "and", "accept_source_route"),
  ...setting(4, "and where forwarding, else or", "accept_redirects"),
  ...setting(6, "all", "forwarding"),
  ...setting(6, "own", "disable_ipv6", "accept_ra"),
  ...setting(6, "own where not forwarding", "accept_redirects"),
  ...setting(6, "or", "proxy_ndp"),
  ...setting(6, "smaller", "accept_source_route"),
];

/**
 * What a bridge must not take from pods, which could get the traffic of others
 * by it: CVE-2020-10749 is the first of it. The plugin has the same in a list
 * of its own, since it imports nothing of this.
 */
export const takenFromPods = [
  { family: 6, name: "accept_ra" },
  { family: 6, name: "accept_redirects" },
  { family: 6, name: "accept_source_route" },
  { family: 4, name: "accept_redirects" },
  { family: 4, name: "accept_source_route" },
] as const;

/** Values by path, such as `ipv4/conf/eth0/forwarding`. */
export type InterfaceValues = ReadonlyMap<string, number>;

/** The name that `sysctl` takes: with slashes where the interface's has a dot (sysctl(8)). */
export function settingName(
  family: Family,
  name: string,
  device: string,
): string {
  return device.includes(".")
    ? `net/ipv${family}/conf/${device}/${name}`
    : `net.ipv${family}.conf.${device}.${name}`;
}

/** The value as it stands at one place: an interface, `all` or `default`. */
export function valueAt(
  values: InterfaceValues,
  family: Family,
  name: string,
  device: string,
): number | undefined {
  return values.get(`ipv${family}/conf/${device}/${name}`);
}

/** Reads what `grep -H ""` printed of files below /proc/sys/net. */
export function readInterfaceValues(text: string): InterfaceValues {
  return new Map(
    [...text.matchAll(/^(?:.*\/)??(ipv[46]\/conf\/.+\/\w+):(-?\d+)$/gm)]
      .map(([, path = "", value]) => [path, Number(value)]),
  );
}

/**
 * The value that counts for what comes in and goes out by an interface.
 *
 * @returns undefined where the kernel did not say it
 */
export function effectiveValue(
  values: InterfaceValues,
  family: Family,
  name: string,
  device: string,
): number | undefined {
  const at = (place: string) => valueAt(values, family, name, place);
  const [own, all] = [at(device), at("all")];
  const combined = interfaceSettings.find((one) =>
    one.family === family && one.name === name
  )?.combined;
  if (combined === "own") return own;
  if (combined === "all") return all;
  if (combined === "own where not forwarding") {
    return valueAt(values, family, "forwarding", device) === 0 ? own : 0;
  }
  if (own === undefined || all === undefined) return undefined;
  const truth = (value: boolean) => value ? 1 : 0;
  switch (combined) {
    case "greater":
      return Math.max(own, all);
    case "smaller":
      return Math.min(own, all);
    case "and":
      return truth(own !== 0 && all !== 0);
    case "or":
      return truth(own !== 0 || all !== 0);
    case "and where forwarding, else or":
      return effectiveValue(values, family, "forwarding", device) === 0
        ? truth(own !== 0 || all !== 0)
        : truth(own !== 0 && all !== 0);
    default:
      return undefined;
  }
}

/**
 * The places to write a value to, so that it is the one that counts: those of
 * `all` and the interface that keep it from being so.
 */
export function placesToSet(
  values: InterfaceValues,
  family: Family,
  name: string,
  device: string,
  wanted: number,
): readonly string[] {
  const at = (place: string) => valueAt(values, family, name, place);
  const combined = interfaceSettings.find((one) =>
    one.family === family && one.name === name
  )?.combined;
  if (combined === "all") return ["all"];
  if (combined === "greater") {
    const above = ["all", device].filter((place) => (at(place) ?? 0) > wanted);
    return above.length > 0 ? above : [device];
  }
  if (combined !== "or" && combined !== "and where forwarding, else or") {
    return [device];
  }
  const on = ["all", device].filter((place) => at(place) !== 0);
  return wanted === 0 ? on : [device];
}

/**
 * Whether an interface heeds router advertisements: one that forwards does so
 * with 2 alone (ip-sysctl, accept_ra).
 */
export function heedsRouters(
  values: InterfaceValues,
  device: string,
): boolean | undefined {
  const accepts = valueAt(values, 6, "accept_ra", device);
  const forwards = valueAt(values, 6, "forwarding", device);
  if (accepts === undefined || forwards === undefined) return undefined;
  return forwards === 0 ? accepts > 0 : accepts === 2;
}
