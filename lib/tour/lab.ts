/** The lab that a tour may use: none, or one that an earlier tour made. */
import { type Cluster } from "../cluster/cluster.ts";
import { isRunning, removeLab } from "../lab/lab.ts";
import { makeLine } from "../cluster/make_line.ts";
import { openSession, type RunFlags } from "../cli/session.ts";
import { exists } from "../exec/atomic_file.ts";
import { loadCluster } from "../cluster/load.ts";

/** Tells in a lab's state folder that a tour made it. */
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
  if (isRunning(cluster)) {
    if (!await exists(markPath(cluster))) return occupied(cluster);
    say(
      `The lab "${cluster.name}" is there, as an earlier tour left it, ` +
        "and a tour begins\nwithout one.",
    );
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

function occupied(cluster: Cluster): string {
  return `The lab "${cluster.name}" is there already, and the tour begins ` +
    "without one.\n" +
    "what to do: if nothing in it is needed any more,\n" +
    `  ${makeLine("down", cluster)}\n` +
    "then begin the tour again. Or give the tour a lab of its own: a copy of\n" +
    `${cluster.file} with another name in it, by make tour CLUSTER=FILE`;
}

/** Remembers that this lab is a tour's. */
export async function markAsOurs(cluster: Cluster): Promise<void> {
  await Deno.writeTextFile(markPath(cluster), "made by make tour\n");
}
