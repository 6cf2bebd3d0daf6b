/** Where the packets of a path come from and go to. Pure. */
import type { PathFindings } from "./diagnose_causes.ts";
import { endsAtPod, outside, type Path, startsAtPod } from "./matrix.ts";

/** The addresses of a path's packets; undefined where they are not known. */
export function endsOf(
  path: Path,
  { cluster, addresses, facts, servers }: PathFindings,
) {
  const { kind, from, to } = path;
  const destination = endsAtPod(path)
    ? servers.get(to)
    : to === outside
    ? cluster.outside.address
    : addresses.nodes.get(to);
  const source = startsAtPod(path)
    ? addresses.callers.get(from)
    : kind === "node-to-own-pod"
    ? addresses.gateways.get(from)
    : addresses.nodes.get(from);
  if (source === undefined || destination === undefined) return undefined;
  // What leaves the cluster reaches another node as this one.
  const node = facts.get(from);
  const rewrites = kind === "pod-to-other-node" && node !== undefined &&
    node.probes.some(({ stage, answer }) =>
      stage === "07-masquerade" && answer.is === "present"
    );
  return {
    source,
    destination,
    rewritten: rewrites ? addresses.nodes.get(from) ?? source : source,
  };
}
