/** What a report of stage 09 remarks beside what failed. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { tunnelAddress } from "../net/vxlan.ts";
import type { StageProgress } from "./expected.ts";
import { isAsExpected, type Tried } from "./matrix.ts";

/**
 * A sentence for each node that was seen as an address of its own which is not
 * the cluster file's.
 */
export function senderRemarks(
  tried: readonly Tried[],
  { vxlan, nodes }: Cluster,
): readonly string[] {
  // What takes a tunnel comes from the tunnel's own end.
  const ends = new Set(
    vxlan === undefined
      ? []
      : nodes.flatMap(({ podCIDRs }) => podCIDRs.map(tunnelAddress)),
  );
  const remarks = tried.flatMap((one) => {
    const { path: { from, to }, observed, expectedSource } = one;
    if (observed.answer !== "yes" || one.expected.answer !== "yes") return [];
    const { source } = observed;
    if (source === expectedSource || ends.has(source)) return [];
    if (!isAsExpected(one)) return [];
    return [{ from, to, source, usual: expectedSource }];
  });
  const groups = Map.groupBy(
    remarks,
    ({ from, source, usual }) => `${from} ${source} ${usual}`,
  );
  return [...groups.values()].map((group) => {
    const [{ from, source, usual } = { from: "", source: "", usual: "" }] =
      group;
    const to = new Set(
      group.map(({ to }) => to === from ? "its own pods" : to),
    );
    return `${from} sends as ${source} to ${[...to].join(", ")}, ` +
      `and not as ${usual}: both are its own`;
  });
}

/** Says where iptables does not see what passes between pods of one node. */
export function unfilteredRemark(progress: StageProgress): readonly string[] {
  const names = [...progress.unfiltered];
  if (names.length === 0) return [];
  return [
    `${
      names.join(", ")
    }: no /proc/sys/net/bridge (br_netfilter is not loaded), ` +
    "so iptables never sees what passes between pods of one node: " +
    "that path is open from 05 on",
  ];
}
