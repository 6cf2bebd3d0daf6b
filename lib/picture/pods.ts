/** Pods as they are drawn. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Host, InventoryPod } from "../inventory/inventory.ts";
import { calledName } from "../net/ip_json.ts";

/** Since the picture before: there now and not then, or the other way round. */
export type Since = "new" | "gone" | undefined;

/** A pod as it is drawn. */
export interface ScenePod {
  readonly name: string;
  readonly lines: readonly string[];
  /** Why it is not plugged in, or undefined. */
  readonly unplugged?: string;
  readonly since: Since;
}

/** A node's pods, and those that were there before; what is new is marked where it is compared. */
export function podsOf(
  host: Host,
  old: Host | undefined,
  cluster: Cluster,
  compared: boolean,
): readonly ScenePod[] {
  const names = new Set(host.pods.map(({ name }) => name));
  const oldNames = new Set(old?.pods.map(({ name }) => name));
  const gone = (old?.pods ?? []).filter(({ name }) => !names.has(name));
  return [
    ...host.pods.map((pod): ScenePod => {
      const unplugged = whyUnplugged(pod, cluster);
      return {
        name: calledName(pod),
        lines: pod.addresses.map(({ address }) => address),
        ...(unplugged === undefined ? {} : { unplugged }),
        since: compared && !oldNames.has(pod.name) ? "new" : undefined,
      };
    }).toSorted((a, b) => natural.compare(a.name, b.name)),
    ...gone.map((pod): ScenePod => ({
      name: calledName(pod),
      lines: pod.addresses.map(({ address }) => address),
      since: "gone",
    })),
  ];
}

/** Numbers in names by what they count: app-2 before app-10. */
const natural = new Intl.Collator("en", { numeric: true });

function whyUnplugged(
  { links, hostLink }: InventoryPod,
  { bridge }: Cluster,
): string | undefined {
  const eth0 = links.find(({ name }) => name === "eth0");
  if (eth0 === undefined) return "has no eth0";
  if (hostLink === undefined) return "no host veth";
  if (hostLink.master !== bridge) return `not on ${bridge}`;
  if (!hostLink.up) return "host veth down";
  return eth0.up ? undefined : "eth0 is down";
}
