/** What the tour says at its end, or where it was ended. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Exercise } from "../exercise/exercise.ts";
import { makeLine } from "../cluster/make_line.ts";
import type { TourReport } from "./report.ts";
import { columns, rule, wrap } from "../text/wrap.ts";

/** So many exercises are named; the list has the rest. */
const shown = 3;

/** The summary, and where to go on. */
export function afterwards(
  { stops }: TourReport,
  cluster: Cluster,
  exercises: readonly Exercise[],
): string {
  const opened = stops.flatMap(({ name, changes = [], listening }) =>
    listening === undefined && changes.length > 0
      ? [[name, changes] as const]
      : []
  );
  const make = (target: string) => makeLine(target, cluster);
  const [first] = exercises;
  return [
    rule("What it was all about"),
    [
      "What each stage opened:",
      ...opened.flatMap(([name, changes]) =>
        changes.map(({ label, is }, at) =>
          `  ${(at === 0 ? name : "").padEnd(13)}  ${label}: ${is}`
        )
      ),
    ].join("\n"),
    wrap(
      "Every pod has an address of its own, every pod reaches every pod " +
        "without NAT, and every node reaches its pods: that is what " +
        "Kubernetes asks of a pod network. Whether an answer comes is half of " +
        "it; whose address the receiver sees is the other half.",
    ),
    [
      wrap(
        "The lab stays. Each of these breaks something in it, for you to find " +
          "with the trace and to repair with one stage:",
      ),
      columns(
        exercises.slice(0, shown).map((
          { number, title },
        ) => [make(`exercise ${number}`), title]),
      ),
      `${make("exercise")} lists all ${exercises.length}.`,
    ].join("\n"),
    [
      "It goes like this:",
      `  ${make("exercise 1")}`,
      `  ${make(`trace FROM=${first?.from} TO=${first?.to}`)}`,
      "  … and the stage that repairs it",
      `  ${make("exercise 1-check")}`,
    ].join("\n"),
    `When you have had enough: ${make("down")}`,
  ].join("\n\n");
}

/** What can be done with the lab of a tour that was ended early. */
export function unfinished(cluster: Cluster): string {
  const make = (target: string) => makeLine(target, cluster);
  return [
    `The lab "${cluster.name}" stays as it is now:`,
    columns([
      [
        makeLine("tour", cluster, { ARGS: ["--go-on"] }),
        "goes on with the tour",
      ],
      [make("up"), "goes on from here to the end of stage 09"],
      [make("tour"), "begins the tour again, with a new lab"],
      [make("down"), "removes the lab"],
    ]),
  ].join("\n");
}
