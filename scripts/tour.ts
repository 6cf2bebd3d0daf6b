#!/usr/bin/env -S deno run -A
/** A guided tour of all stages on a lab of its own: `make tour`. */
import { printColoured, printData, printNote } from "../lib/cli/print.ts";
import {
  type CommandLine,
  type FlagsOf,
  option,
  switched,
} from "../lib/cli/flags.ts";
import { buildFlags, standard } from "../lib/cli/standard_flags.ts";
import { takesColour, terminalWidth } from "../lib/text/terminal.ts";
import { type Cluster } from "../lib/cluster/cluster.ts";
import { exercises } from "../lib/exercise/catalog.ts";
import { LabError } from "../lib/lab/lab.ts";
import { runScript } from "../lib/cli/script.ts";
import { requireLab } from "../lib/cli/whole_lab.ts";
import { failure } from "../lib/cli/report.ts";
import { openSession } from "../lib/cli/session.ts";
import { tour } from "../lib/tour/tour.ts";
import { readMarks } from "../lib/predict/answer.ts";
import {
  cannotGoOn,
  clearTheWay,
  keepTour,
  keptTour,
} from "../lib/tour/lab.ts";
import { afterwards, unfinished } from "../lib/tour/ending_text.ts";
import { scoreText } from "../lib/tour/predict_stop.ts";
import type { TourReport } from "../lib/tour/report.ts";
import { masquerade } from "./07-masquerade.ts";
import { probedStages, stages } from "./stages.ts";
import { exitCode } from "../lib/cli/exit_code.ts";
import { UsageError } from "../lib/cli/usage_error.ts";
import { loadCluster } from "../lib/cluster/load.ts";

const command = {
  name: "tour",
  summary: "build the pod network stage by stage, and see why each is needed",
  text: [
    "Says at each stage what is about to change and why, shows the commands, " +
    "runs them on Enter, and shows what can reach what from then on. On the way " +
    "it makes the classic mistake. It begins without a lab: one that an earlier " +
    "tour made it takes down first (it asks; -y says yes), any other it leaves " +
    "alone and says so. The lab stays at the end, for the exercises.",
    "With --predict it asks, before each stop that may change what reaches what, " +
    "what you expect of that, and tells afterwards where it came out otherwise, " +
    "and why.",
  ],
  examples: [
    ["make tour", "waits for Enter at each stop"],
    ["make tour ARGS=-y", "runs through without waiting"],
    ["make tour ARGS=--predict", "asks what will be answered, then compares"],
    ["make tour ARGS=--go-on", "goes on where the last tour was left"],
    ["make tour CLUSTER=config/lab-dual.yaml", "on another lab"],
    [
      "make tour CLUSTER=config/lab-two-segments.yaml",
      "beyond a router: 08 makes tunnels, and a frame within a frame is shown",
    ],
    [
      "make tour CLUSTER=config/lab-bgp.yaml",
      "beyond a router: 08 has the nodes tell each other, and the router",
    ],
  ],
  flags: {
    predict: switched(
      "predict",
      "ask before each stop what the matrix will be, and compare",
      { excludes: "yes" },
    ),
    goOn: switched("go-on", "take up the tour where it was left"),
    stops: option({
      name: "stops",
      value: "NUMBER",
      does: "end after so many stops; --go-on goes on from there",
      expected: "a number from 1 to 99",
      read: (value) => /^[1-9]\d?$/.test(value) ? Number(value) : undefined,
    }),
    marks: option({
      name: "marks",
      value: "KIND=MARK,…",
      does: "what you expect of the matrix after that stop, as make studio " +
        "hands it in",
      needs: "stops",
      expected: "kinds of path, each with no, yes, pod, node or some, e.g. " +
        "pod-to-outside=node,node-to-own-pod=yes",
      read: readMarks,
    }),
    ...standard("cluster", "yes", "output", "quiet", "timeout_ms"),
    ...buildFlags,
  },
  lacks: {
    flags: ["node", "dry-run", "step", "undo"],
    because:
      "the tour goes the whole way with a new lab; the stages themselves " +
      "take that: make 04-bridge ARGS=--help",
  },
} satisfies CommandLine;

type Flags = FlagsOf<typeof command.flags>;

async function run(flags: Flags): Promise<number> {
  const cluster = await loadCluster(flags.cluster, { ignoreFound: true });
  requireLab(cluster, "the tour");
  if (!flags.yes && !Deno.stdin.isTerminal()) {
    throw new UsageError(
      "the tour waits for Enter and needs a terminal; give -y to run through " +
        "without waiting",
    );
  }
  if (flags.predict && (flags.quiet || flags.output === "json")) {
    throw new UsageError(
      "--predict asks and tells in words; leave out -q and -o json",
    );
  }
  if (flags.goOn) return await guided(flags, cluster);
  try {
    const way = await clearTheWay(flags, (text) => {
      if (!flags.quiet) printNote(text);
    });
    if (way !== undefined) {
      printNote(way);
      return exitCode.failed;
    }
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    printNote(error.message);
    return exitCode.failed;
  }
  return await guided(flags, cluster);
}

async function guided(flags: Flags, cluster: Cluster): Promise<number> {
  const json = flags.output === "json";
  const say = (text: string) => {
    if (!json && !flags.quiet) printColoured(text);
  };
  await using session = await openSession(flags, (result) => {
    if (result.problem !== undefined) printNote(failure(result));
  });
  const kept = flags.goOn ? await keptTour(cluster) : undefined;
  const why = flags.goOn ? cannotGoOn(kept, cluster) : undefined;
  if (why !== undefined) {
    printNote(why);
    return exitCode.failed;
  }
  const made = kept?.stops ?? [];
  const keep = (report: TourReport) => keepTour(cluster, report);
  await keep({
    version: 1,
    cluster: cluster.name,
    finished: false,
    stops: made,
  });
  const itinerary = { stages, masquerade, probed: probedStages };
  const colour = takesColour();
  const voice = {
    say,
    emphasize: (text: string) => colour ? `\x1b[1;32m${text}\x1b[0m` : text,
    width: terminalWidth(),
  };
  const { stops, predict, marks } = flags;
  const { code, report } = await tour(session, itinerary, voice, {
    ...{ made, predict, keep },
    ...(stops === undefined ? {} : { most: stops }),
    ...(marks === undefined ? {} : { marks }),
  }).catch((error) => {
    say(unfinished(cluster));
    throw error;
  });
  if (json) printData(report);
  const score = scoreText(report.stops);
  if (score !== undefined) say(`${score}\n`);
  say(
    report.finished
      ? afterwards(report, cluster, exercises(cluster))
      : unfinished(cluster),
  );
  return code;
}

await runScript(command, run);
