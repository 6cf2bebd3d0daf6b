/** The lab that a tour may use: none, or an earlier tour's; and how far that tour went. */
import { type Cluster } from "../cluster/cluster.ts";
import { isRunning, removeLab } from "../lab/lab.ts";
import { makeLine } from "../cluster/make_line.ts";
import { openSession, type RunFlags } from "../cli/session.ts";
import { exists, ignoreAbsent, writeWhole } from "../exec/atomic_file.ts";
import { loadCluster } from "../cluster/load.ts";
import type { TourReport } from "./report.ts";

/** Tells in a lab's state folder that a tour made it, and how far it went. */
const markPath = ({ stateDir }: Cluster) => `${stateDir}/tour`;

/**
 * Takes down what an earlier tour made, after asking; what is known of a lab
 * that runs no more is forgotten.
 *
 * @param say told what is taken down, before the question
 * @returns why there can be no tour; undefined where the way is clear
 * @throws {LabError | UsageError | StepError}
 */
export async function clearTheWay(
  flags: RunFlags,
  say: (text: string) => void,
): Promise<string | undefined> {
  await using session = await openSession(flags, () => {});
  // What an earlier lab's stages found out may be unreadable, and goes anyway.
  const cluster = await loadCluster(flags.cluster, { ignoreFound: true });
  const way = await wayOf(cluster);
  if (way.is === "occupied") return way.says;
  if (way.is === "ours") {
    say(way.says);
    if (!flags.yes) {
      const answer = await session.answer(
        "Enter takes it down and begins, q leaves it as it is: ",
      );
      if (answer !== "" && answer !== "y") return "Nothing was changed.";
    }
  }
  await removeLab(cluster);
  return undefined;
}

/** Whether a tour can begin. */
type Way =
  | { readonly is: "clear" }
  /** An earlier tour's lab is there, and goes. */
  | { readonly is: "ours"; readonly says: string }
  /** A lab that no tour made is there. */
  | { readonly is: "occupied"; readonly says: string };

/** Looks whether a tour can begin. */
export async function wayOf(cluster: Cluster): Promise<Way> {
  if (!isRunning(cluster)) return { is: "clear" };
  if (await exists(markPath(cluster))) {
    const says = `The lab "${cluster.name}" is there, as an earlier tour ` +
      "left it, and a tour begins\nwithout one.";
    return { is: "ours", says };
  }
  const says =
    `The lab "${cluster.name}" is there already, and the tour begins ` +
    "without one.\n" +
    "what to do: if nothing in it is needed any more,\n" +
    `  ${makeLine("down", cluster)}\n` +
    "then begin the tour again. Or give the tour a lab of its own: a copy of\n" +
    `${cluster.file} with another name in it, by make tour CLUSTER=FILE`;
  return { is: "occupied", says };
}

/** Remembers that this lab is a tour's, and how far the tour went. */
export async function keepTour(
  cluster: Cluster,
  report: TourReport,
): Promise<void> {
  await writeWhole(markPath(cluster), JSON.stringify(report));
}

/** The tour that made a lab, as far as it went; undefined where there was none. */
export async function keptTour(
  cluster: Cluster,
): Promise<TourReport | undefined> {
  try {
    const kept: TourReport = JSON.parse(
      await Deno.readTextFile(markPath(cluster)),
    );
    return kept.version === 1 && Array.isArray(kept.stops) ? kept : undefined;
  } catch (error) {
    // What an earlier version of the tour wrote tells no stops.
    if (error instanceof SyntaxError) return undefined;
    ignoreAbsent(error);
    return undefined;
  }
}

/** Why a tour cannot be gone on with; undefined where it can. */
export function cannotGoOn(
  kept: TourReport | undefined,
  cluster: Cluster,
): string | undefined {
  const anew = `what to do: ${makeLine("tour", cluster)} begins one`;
  if (kept === undefined) {
    return `There is no tour of the lab "${cluster.name}" to go on with.\n${anew}`;
  }
  if (kept.finished) {
    return `The tour of the lab "${cluster.name}" went to its end.\n${anew}`;
  }
  if (kept.stops.length > 0 && !isRunning(cluster)) {
    return `The lab "${cluster.name}", which the tour made, runs no more.\n` +
      anew;
  }
  return undefined;
}
