#!/usr/bin/env -S deno run -A
/** A guided tour of all stages on a lab of its own: `make tour`. */
import { type Flags, flagsHelp } from "../lib/cli/flags.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import { exercises } from "../lib/exercise/catalog.ts";
import { LabError } from "../lib/lab/lab.ts";
import { runScript } from "../lib/cli/script.ts";
import { workersOf } from "../lib/verify/matrix.ts";
import { failure } from "../lib/cli/report.ts";
import { openSession } from "../lib/cli/session.ts";
import { tour } from "../lib/tour/tour.ts";
import { clearTheWay, markAsOurs } from "../lib/tour/lab.ts";
import { afterwards, unfinished } from "../lib/tour/ending_text.ts";
import { masquerade } from "./07-masquerade.ts";
import { probedStages, stages } from "./stages.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const help =
  `scripts/tour.ts: build the pod network stage by stage, and see why each is needed

Usage: scripts/tour.ts [flags]
       make tour [ARGS="flags"]

Says at each stage what is about to change and why, shows the commands, runs
them on Enter, and shows what can reach what from then on. On the way it makes
the classic mistake. It begins without a lab: one that an earlier tour made it
takes down first (it asks; -y says yes), any other it leaves alone and says so.
The lab stays at the end, for the exercises.

Examples:
  make tour
  make tour ARGS=-y              (runs through without waiting)
  make tour CLUSTER=config/lab-dual.yaml

Takes --cluster, -y, -o, --timeout, --portable and --compiled of these:

${flagsHelp}`;

async function run(flags: Flags): Promise<number> {
  refuse(flags);
  const cluster = await loadCluster(flags.cluster, { ignoreFound: true });
  checkLab(cluster);
  if (!flags.yes && !Deno.stdin.isTerminal()) {
    throw new UsageError(
      "the tour waits for Enter and needs a terminal; give -y to run through " +
        "without waiting",
    );
  }
  try {
    const way = await clearTheWay(flags);
    if (way !== undefined) {
      console.error(way);
      return exitCode.failed;
    }
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    console.error(error.message);
    return exitCode.failed;
  }
  return await guided(flags, cluster);
}

async function guided(flags: Flags, cluster: Cluster): Promise<number> {
  const json = flags.output === "json";
  const say = (text: string) => {
    if (!json && !flags.quiet) console.log(text);
  };
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) console.error(failure(result));
  });
  await markAsOurs(cluster);
  const itinerary = { stages, masquerade, probed: probedStages };
  const terminal = Deno.stdout.isTerminal();
  const colour = terminal && !Deno.env.get("NO_COLOR");
  const voice = {
    say,
    emphasize: (text: string) => colour ? `\x1b[1;32m${text}\x1b[0m` : text,
    width: Math.max(80, terminal ? Deno.consoleSize().columns : 0),
  };
  const { code, report } = await tour(session, itinerary, voice)
    .catch((error) => {
      say(unfinished(cluster));
      throw error;
    });
  if (json) console.log(JSON.stringify(report, null, 2));
  say(
    report.finished
      ? afterwards(report, cluster, exercises(cluster))
      : unfinished(cluster),
  );
  return code;
}

/** Flags that a tour of a whole lab has no use for. */
function refuse(flags: Flags): void {
  const given = [
    ...(flags.nodes.length > 0 ? ["--node"] : []),
    ...(flags.dryRun ? ["--dry-run"] : []),
    ...(flags.step ? ["--step"] : []),
    ...(flags.undo ? ["--undo"] : []),
  ];
  if (given.length === 0) return;
  throw new UsageError(
    `${given.join(", ")}: the tour goes the whole way with a new lab; the ` +
      "stages themselves take that: make 04-bridge ARGS=--help",
  );
}

function checkLab(cluster: Cluster): void {
  const { file, provider } = cluster;
  if (provider !== "lab") {
    throw new UsageError(
      `${file} is no lab (provider: ${provider}), and the tour breaks things ` +
        "to show them: take config/lab.yaml, or another lab",
    );
  }
  const workers = workersOf(cluster).length;
  if (workers < 2) {
    throw new UsageError(
      `${file} has ${workers} ${workers === 1 ? "worker" : "workers"}: the ` +
        "tour wants two or more, for pods of one to call pods of the other",
    );
  }
}

await runScript(help, run);
