/** A fault in a node's settings of interfaces: what it rests on, and what sets it right. Pure. */
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { cmd } from "../exec/command.ts";
import {
  type InterfaceValues,
  placesToSet,
  settingName,
  valueAt,
} from "../net/interface_settings.ts";
import type { Cause } from "./cause.ts";
import type { Evidence, RouteFacts } from "./evidence.ts";
import { onNode, type Remedy } from "./remedy.ts";

/** A node's settings, and what tells which devices are on its pods' way. */
export interface SettingFacts {
  /** With the addresses of one family alone (inFamily()). */
  readonly node: ClusterNode;
  readonly values: InterfaceValues;
  /** Its links with their addresses; ports of a bridge are left out. */
  readonly links: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
  }[];
  /** Those of the node's family. */
  readonly routes: readonly RouteFacts[];
}

/** A setting on a pod's way that loses packets, or lets others mislead them. */
export interface SettingFault extends Cause {
  readonly isWarning: boolean;
  readonly device: string;
  readonly setting: string;
}

/** What of a cluster matters here. */
export type ClusterFacts = Pick<Cluster, "bridge" | "nodes">;

/** A device on pods' way, and what for. */
export interface DeviceOnWay {
  readonly device: string;
  readonly is: "bridge" | "outward";
}

/** A fault without its words, with what `sysctl` shows of it. */
export function bareFault(
  { node, values }: SettingFacts,
  family: 4 | 6,
  name: string,
  device: string,
  kind: Cause["kind"] = "setting",
): Omit<SettingFault, "what" | "remedies"> {
  const shown = ["all", device].flatMap((place) => {
    const value = valueAt(values, family, name, place);
    return value === undefined ? [] : [{ place, value }];
  });
  const names = shown.map(({ place }) => settingName(family, name, place));
  const evidence: Evidence = {
    where: node.name,
    command: `sysctl ${names.join(" ")}`,
    printed: shown.map(({ value }, at) =>
      `${shownName(names[at] ?? "")} = ${value}`
    ).join("\n"),
  };
  return {
    kind,
    on: node.name,
    evidence: [evidence],
    isWarning: false,
    device,
    setting: name,
  };
}

/** The name as `sysctl` prints it: dots and slashes change places. */
export function shownName(name: string): string {
  return name.startsWith("net/")
    ? name.replace(/[./]/g, (found) => found === "." ? "/" : ".")
    : name;
}

/** What sets it, where it keeps the value that counts from being this one. */
export function writes(
  { node, values }: SettingFacts,
  family: 4 | 6,
  name: string,
  device: string,
  wanted: number,
): readonly Remedy[] {
  const assignments = placesToSet(values, family, name, device, wanted)
    .map((place) => `${settingName(family, name, place)}=${wanted}`);
  return [onNode(node.name, cmd`sysctl -w ${assignments}`)];
}
