/** The studio: a page to work on a lab, or any cluster, and what is behind it. */
import type { Command } from "../exec/command.ts";
import type { RunContext } from "../stage/context.ts";
import type { Stage } from "../stage/stage.ts";
import type { Access } from "./access.ts";
import type { Asset } from "./assets.ts";
import { type Changes, openChanges } from "./changes.ts";
import { openPredictions } from "./predictions.ts";
import { openExercises } from "./exercises.ts";
import { type ClusterReading, openReading } from "./reading.ts";
import { pageRoutes } from "./routes.ts";
import { openRuns } from "./runs.ts";
import { openSeat, type Seat } from "./seat.ts";
import { handlerOf } from "./server.ts";
import { openTerminals } from "./terminals.ts";

/** What a studio is made of. */
interface StudioOptions {
  /** The cluster's file. */
  readonly file: string;
  readonly stages: readonly Stage[];
  readonly probed: readonly Stage[];
  readonly context: RunContext;
  readonly access: Access;
  /** The page's files. */
  readonly assets: ReadonlyMap<string, Asset>;
  /** The command that runs a script of the project on the cluster. */
  readonly script: (name: string, args: readonly string[]) => Command;
}

/** A studio that is served. */
interface Studio {
  readonly handler: (request: Request) => Promise<Response>;
  /** Ends what its page began. */
  readonly close: () => Promise<void>;
}

/** What a node's kernel does not announce, a look finds, this often. */
const glance_ms = 60_000;

/** Signs of one change come close together. */
const settle_ms = 120;

/** Prepares a studio. Nothing is read and nothing runs before its page is open. */
export function openStudio(options: StudioOptions): Studio {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const soon = () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      if (!seat.isTaken()) return;
      exercises.nudge();
      reading.nudge();
    }, settle_ms);
  };
  const changes = openChanges(soon);
  const predictions = openPredictions((told) => seat.tell(told));
  const reading: ClusterReading = openReading({
    ...options,
    tried: predictions.tried,
    tell: (state) => {
      seat.tell({ is: "state", state });
      if (seat.isTaken()) attend(changes, reading);
    },
  });
  const seat: Seat = openSeat({
    taken: () => {
      const state = reading.last();
      if (state !== undefined) seat.tell({ is: "state", state });
      const begun = exercises.last();
      if (begun !== undefined) {
        seat.tell({ is: "exercises", exercises: begun });
      }
      exercises.nudge();
      reading.nudge();
    },
    left: () => changes.rest(),
  });
  const runs = openRuns((told) => {
    seat.tell(told);
    if (told.is === "ended") soon();
    // What is being read now may be of the time before the run ended.
    if (predictions.ran(told)) reading.nudge();
  });
  const exercises = openExercises({
    ...options,
    tell: (exercises) => seat.tell({ is: "exercises", exercises }),
  });
  const terminals = openTerminals();
  const glances = setInterval(() => {
    if (seat.isTaken()) reading.glance();
  }, glance_ms);
  const { access, assets } = options;
  const routes = pageRoutes({
    ...{ ...options, seat, reading, runs, terminals, predictions, exercises },
  });
  return {
    handler: handlerOf(access, assets, routes),
    async close() {
      clearInterval(glances);
      clearTimeout(timer);
      seat.close();
      changes.rest();
      await Promise.all([
        runs.close(),
        terminals.close(),
        exercises.close(),
      ]);
    },
  };
}

/** Listens at the nodes that answer. */
function attend(changes: Changes, reading: ClusterReading): void {
  const cluster = reading.cluster();
  if (cluster === undefined) return;
  const there = (reading.inventory()?.nodes ?? [])
    .filter(({ host }) => host.is === "read");
  changes.attend(cluster, there.map(({ name }) => name));
}
