/** Which of a cluster's paths a run of stage 09 tries. Pure. */
import { podsWaitFor } from "./expected.ts";
import { allPaths, columnOf, outside, type Path, pathsFrom } from "./matrix.ts";
import { type Situation, workerSites } from "./situation.ts";
import type { Known } from "./try_paths.ts";

/** The paths that the selected nodes have a part in: from them, and to and from their pods. */
export function pathsToTry(
  situation: Situation,
  selected: readonly string[],
  known: Pick<Known, "servers" | "callers">,
): readonly Path[] {
  const { withPods, isWanted } = wantedPaths(situation, selected, known);
  return allPaths(situation.cluster, withPods).filter(isWanted);
}

/**
 * The same paths, those that start at one pod or node at a time: of a thousand
 * nodes they would be too many to hold all at once.
 */
export function* pathsByStart(
  situation: Situation,
  selected: readonly string[],
  known: Pick<Known, "servers" | "callers">,
): Generator<readonly Path[]> {
  const { withPods, isWanted } = wantedPaths(situation, selected, known);
  for (const paths of pathsFrom(situation.cluster, withPods)) {
    yield paths.filter(isWanted);
  }
}

function wantedPaths(
  situation: Situation,
  selected: readonly string[],
  { servers, callers }: Pick<Known, "servers" | "callers">,
): {
  readonly withPods: ReadonlySet<string>;
  readonly isWanted: (path: Path) => boolean;
} {
  const { progress, gone, outside: { is } } = situation;
  const chosen = new Set(selected);
  const withPods = new Set(
    workerSites(situation).map(({ node }) => node.name).filter((name) =>
      podsWaitFor(progress, name) === undefined &&
      (chosen.has(name) || (servers.has(name) && callers.has(name)))
    ),
  );
  return {
    withPods,
    isWanted: (path) =>
      (chosen.has(path.from) || chosen.has(columnOf(path))) &&
      !(path.to === outside && is === "none") && !gone?.has(path.from),
  };
}
