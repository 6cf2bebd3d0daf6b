/** What lies on a path's way beside what the stages make. Pure. */
import type { ClusterNode } from "../cluster/cluster.ts";
import type { Obstacle } from "../diagnosis/kernel_path/obstacle.ts";
import { flowsBetween } from "../diagnosis/kernel_path/obstacle_cause.ts";
import { findObstacles } from "../diagnosis/kernel_path/obstacles.ts";
import type { PathFindings } from "./diagnose_causes.ts";
import { endsAtPod, type Path, startsAtPod } from "./matrix.ts";
import { caller, type PodName, server } from "./namespace_pods.ts";
import { endsOf } from "./path_ends.ts";

/** What lies on a path's way through its nodes and pods; what surely loses packets first. */
export function pathObstacles(
  path: Path,
  findings: PathFindings,
): readonly Obstacle[] {
  const ends = endsOf(path, findings);
  if (ends === undefined) return [];
  const { source, destination, rewritten } = ends;
  const masked = findings.facts.get(path.from)?.node.address ?? rewritten;
  const { there, back } = flowsBetween(
    startsAtPod(path) ? [source, masked] : [source],
    destination,
  );
  const nodes = new Set([path.from, path.to]);
  const surveys = [...nodes].flatMap((name) => {
    const found = findings.facts.get(name);
    if (found === undefined) return [];
    const pods: readonly string[] = podsOfPath(path, found.node);
    return found.kernel.filter(({ space: { pod } }) =>
      pod === undefined || pods.includes(pod.name)
    );
  });
  return findObstacles(surveys, findings.cluster, [...there, ...back]);
}

/** The pods of a path that are on this node. */
export function podsOfPath(
  path: Path,
  { name }: ClusterNode,
): readonly PodName[] {
  return [
    ...(startsAtPod(path) && path.from === name ? [caller] as const : []),
    ...(endsAtPod(path) && path.to === name ? [server] as const : []),
  ];
}
