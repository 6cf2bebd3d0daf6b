/** Paths that the nodes' answers do not explain: real packets are followed on some of them. */
import type { Cause } from "../diagnosis/cause.ts";
import type { RunOptions } from "../exec/command.ts";
import type { Family } from "../net/cidr.ts";
import { endsAtPod, outside, type Path, startsAtPod } from "./matrix.ts";

/** An end of a path: a pod by its name, a node, or the host outside. */
type PathEnd =
  | { readonly is: "pod"; readonly node: string; readonly pod: string }
  | { readonly is: "node"; readonly node: string }
  | { readonly is: "outside" };

/** A path whose packets are to be followed. */
export interface PathToTrace {
  readonly from: PathEnd;
  readonly to: PathEnd;
  readonly family: Family;
  readonly options: RunOptions;
}

/** What follows a path's packets, and tells what ends them. */
export type PathTracer = (path: PathToTrace) => Promise<Cause | undefined>;

/** A path without a cause, and what tracing it takes. */
interface Unexplained {
  readonly path: Path;
  readonly family: Family;
  /** The names of the pods at its ends. */
  readonly pods: { readonly caller: string; readonly server: string };
}

/** As many traces are made: each takes a second or two. */
const most = 3;

/** The kinds of path, those first that the fewest machines take part in. */
const nearest: readonly Path["kind"][] = [
  ...["pod-to-pod-same-node", "node-to-own-pod", "pod-to-own-node"] as const,
  ...["node-to-other-pod", "pod-to-other-node"] as const,
  ...["pod-to-pod-other-node", "pod-to-outside"] as const,
];

/**
 * Traces the first path of each kind, as long as there is one without a cause.
 * A cause explains all such paths that its machine has a part in.
 */
export async function traceUnexplained(
  unexplained: readonly Unexplained[],
  trace: PathTracer,
  options: RunOptions,
): Promise<ReadonlyMap<Path, Cause>> {
  const found = new Map<Path, Cause>();
  let left = most;
  for (const kind of nearest) {
    const one = unexplained.find(({ path }) =>
      path.kind === kind && !found.has(path)
    );
    if (one === undefined || left === 0) continue;
    left--;
    const cause = await trace({ ...endsOf(one), family: one.family, options });
    if (cause === undefined) continue;
    for (const { path } of unexplained) {
      const hasPart = path === one.path || path.from === cause.on ||
        path.to === cause.on;
      if (hasPart && !found.has(path)) found.set(path, cause);
    }
  }
  return found;
}

function endsOf(
  { path, pods }: Unexplained,
): Pick<PathToTrace, "from" | "to"> {
  return {
    from: startsAtPod(path)
      ? { is: "pod", node: path.from, pod: pods.caller }
      : { is: "node", node: path.from },
    to: endsAtPod(path)
      ? { is: "pod", node: path.to, pod: pods.server }
      : path.to === outside
      ? { is: "outside" }
      : { is: "node", node: path.to },
  };
}
