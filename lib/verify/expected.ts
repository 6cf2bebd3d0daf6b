/**
 * What is expected of each path, after the stages that the nodes' journals call
 * complete. Pure.
 */
import type { Expected, Missing, Path } from "./matrix.ts";
import type { StageName } from "../stage/stage.ts";

/** What is known of the nodes before anything is tried. */
export interface StageProgress {
  /** The stages that each node's journal calls complete. */
  readonly complete: ReadonlyMap<string, readonly StageName[]>;
  /**
   * The nodes whose kernel never shows bridged frames to iptables: they have
   * no /proc/sys/net/bridge, since br_netfilter is not loaded.
   */
  readonly unfiltered: ReadonlySet<string>;
}

/** The first stage that a node still lacks to have pods; undefined when it can have them. */
export function podsWaitFor(
  progress: StageProgress,
  node: string,
): StageName | undefined {
  const needed = ["03-cni-config", "04-bridge", "05-plugin"] as const;
  return needed.find((stage) => !isComplete(progress, stage, node));
}

/**
 * What is expected of a path between nodes that can have pods, by the table
 * "What must be seen after which stage": no node forwards before 06, the way
 * back to a pod is known by 07's rewriting or 08's routes, and only what leaves
 * the cluster is rewritten.
 */
export function expect(path: Path, progress: StageProgress): Expected {
  const { kind, from, to } = path;
  const has = (stage: StageName, node: string) =>
    isComplete(progress, stage, node);
  switch (kind) {
    case "pod-to-own-node":
      return { answer: "yes", as: "pod" };
    case "node-to-own-pod":
      return { answer: "yes", as: "node" };
    case "pod-to-pod-same-node":
      return progress.unfiltered.has(from)
        ? { answer: "yes", as: "pod" }
        : unlessMissing(progress, [["06-forwarding", from]], "pod");
    case "pod-to-other-node": {
      // The other node answers a pod by its route, and a node in any case.
      const routed = has("08-routes", to) && !has("07-masquerade", from);
      return unlessMissing(
        progress,
        [["06-forwarding", from], ...rewrittenUnless(routed, from)],
        routed ? "pod" : "node",
      );
    }
    case "pod-to-pod-other-node":
      return unlessMissing(progress, [
        ["06-forwarding", from],
        ["06-forwarding", to],
        ["08-routes", from],
        ["08-routes", to],
      ], "pod");
    case "pod-to-outside":
      return unlessMissing(
        progress,
        [["06-forwarding", from], ["07-masquerade", from]],
        "node",
      );
    case "node-to-other-pod":
      return unlessMissing(
        progress,
        [["06-forwarding", to], ["08-routes", from]],
        "node",
      );
  }
}

type Need = readonly [stage: StageName, node: string];

function rewrittenUnless(routed: boolean, node: string): readonly Need[] {
  return routed ? [] : [["07-masquerade", node]];
}

/** Yes, unless something that it needs is missing. The needs stand in the stages' order. */
function unlessMissing(
  progress: StageProgress,
  needs: readonly Need[],
  as: "pod" | "node",
): Expected {
  const missing: Missing[] = [];
  for (const [stage, node] of needs) {
    if (isComplete(progress, stage, node)) continue;
    const last = missing.at(-1);
    if (last?.stage === stage) {
      missing[missing.length - 1] = { stage, on: [...last.on, node] };
    } else missing.push({ stage, on: [node] });
  }
  const [first, ...more] = missing;
  return first === undefined
    ? { answer: "yes", as }
    : { answer: "no", missing: [first, ...more] };
}

function isComplete(
  { complete }: StageProgress,
  stage: StageName,
  node: string,
): boolean {
  return complete.get(node)?.includes(stage) ?? false;
}
