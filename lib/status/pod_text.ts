/** What a status tells of pods and leases, as lines of text. Pure. */
import { makeLine } from "../cluster/make_line.ts";
import { onNode, remedyLine } from "../diagnosis/remedy.ts";
import { printable } from "../text/printable.ts";
import { wrap } from "../text/wrap.ts";
import { releaseCommand } from "../inventory/lease_use.ts";
import type { NodeStatus } from "./node_status.ts";
import type { Cluster } from "../cluster/cluster.ts";

export function podLines(
  nodes: readonly NodeStatus[],
  { verbose = false }: StatusTextOptions,
): string[] {
  const lines = nodes.flatMap(({ name, has }) => {
    const pods = has?.pods ?? [];
    if (pods.length === 0) return [];
    const told = verbose ? pods : pods.slice(0, shownPods);
    const rest = pods.length - told.length;
    const texts = told.map((pod) =>
      [`${name}/${pod.name}`, ...pod.addresses].map(printable).join(unbreakable)
    );
    if (rest > 0) texts.push(`and ${rest} more (-v)`);
    const text = wrap(texts.join(", "), "  ", "    ");
    return [text.replaceAll(unbreakable, " ")];
  });
  return lines.length === 0 ? [] : ["Pods:", ...lines];
}

/** Pods that look well by their addresses, and reach nothing. */
export function cutOffLines(
  nodes: readonly NodeStatus[],
  { cluster, verbose = false }: StatusTextOptions,
): string[] {
  const lines = nodes.flatMap(({ name, has }) => {
    const cut = has?.cutOff ?? [];
    if (cut.length === 0) return [];
    const told = verbose ? cut : cut.slice(0, shownPods);
    const texts = told.map(({ pod, veth, how }) =>
      printable(`${name}/${pod} (${veth} ${how})`)
    );
    const rest = cut.length - told.length;
    if (rest > 0) texts.push(`and ${rest} more (-v)`);
    return [
      wrap(texts.join(", "), "  ", "    "),
      `    ${makeLine("doctor", cluster, { ARGS: ["--node", name] })}`,
    ];
  });
  return lines.length === 0 ? [] : ["Pods that are cut off:", ...lines];
}

/** As many pods of a node are named. */
const shownPods = 8;

export function leaseLines(
  nodes: readonly NodeStatus[],
  { cluster, verbose = false }: StatusTextOptions,
): string[] {
  const lines = nodes.flatMap(({ name, has }) => {
    const stale = has?.stale ?? [];
    const broken = has?.broken ?? [];
    const paths = [...stale, ...broken].map(({ path }) => path);
    if (paths.length === 0) return [];
    const told = [
      ...stale.map(({ address, containerID, ifname }) =>
        `${name}: ${address}, of ${containerID} ${ifname}`.trim()
      ),
      ...broken.map(({ address }) => `${name}: ${address}, of no attachment`),
    ].map((line) => wrap(printable(line), "  ", "    "));
    const shown = verbose ? told : told.slice(0, shownPods);
    const rest = told.length - shown.length;
    return [
      ...shown,
      ...(rest === 0 ? [] : [`  ${name}: and ${rest} more (-v)`]),
      `    ${remedyLine(onNode(name, releaseCommand(paths)), cluster)}`,
    ];
  });
  return lines.length === 0 ? [] : ["Stale leases, without a pod:", ...lines];
}

/** How much is told. */
export interface StatusTextOptions {
  readonly cluster: Pick<Cluster, "file" | "provider">;
  /** The commands that a stage would run, and every pod. */
  readonly verbose?: boolean;
}

/** A pod stays in one line with its addresses. */
const unbreakable = "\u00a0";
