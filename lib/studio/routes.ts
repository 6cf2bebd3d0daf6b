/** What the page can ask of the studio, a route each. */
import type { Cluster } from "../cluster/cluster.ts";
import { reachOf } from "../cli/connect.ts";
import { ClusterFileError } from "../cluster/yaml.ts";
import type { Command } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { outsideName } from "../lab/names.ts";
import { UnreachableError } from "../node/node.ts";
import { enteringCommand } from "../shell/enter.ts";
import type { RunContext } from "../stage/context.ts";
import { type Stage, type StageName, stageNames } from "../stage/stage.ts";
import { tourTexts } from "../tour/stage_texts.ts";
import type { TraceReport } from "../trace/report.ts";
import { askAbout, questionsOf } from "./facts.ts";
import { readExerciseOrder } from "./exercise_orders.ts";
import type { PageExercises } from "./exercises.ts";
import { checkNode, readOrder, readTrace, textIn } from "./orders.ts";
import type { StageWords } from "./protocol.ts";
import { clusterAsKnown, type ClusterReading } from "./reading.ts";
import { marksIn, type Predictions } from "./predictions.ts";
import type { Runs } from "./runs.ts";
import type { Seat } from "./seat.ts";
import {
  json,
  type PageRequest,
  type PageRoutes,
  RefusedError,
} from "./server.ts";
import { readSize, type Terminals } from "./terminals.ts";
import { readStop, tourView } from "./tour_routes.ts";

/** What the routes are answered with. */
interface Means {
  /** The cluster's file. */
  readonly file: string;
  /** The command that runs a script of the project on the cluster. */
  readonly script: (name: string, args: readonly string[]) => Command;
  readonly seat: Seat;
  readonly reading: ClusterReading;
  readonly runs: Runs;
  readonly terminals: Terminals;
  readonly predictions: Predictions;
  readonly stages: readonly Stage[];
  readonly probed: readonly Stage[];
  readonly context: RunContext;
  readonly exercises: PageExercises;
}

/** Makes a route that is for the page that has the seat alone. */
type Seated = (
  route: (
    asked: PageRequest,
    cluster: Cluster,
  ) => Promise<Response> | Response,
) => PageRoutes[string];

/** A script that only looks may take as long as this. */
const limit_ms = 60_000;

/** The routes: what changes something, or opens a terminal, is for the page that has the seat. */
export function pageRoutes(means: Means): PageRoutes {
  const { seat, reading, runs, exercises } = means;
  const seated: Seated = (route) => async (asked: PageRequest) => {
    if (!seat.has(asked.query.get("page"))) {
      throw new RefusedError(409, "the studio is open in another page");
    }
    return await route(asked, await known(means.file));
  };
  return {
    "GET /events": ({ query }) => {
      const page = query.get("page");
      if (page === null || page === "") {
        throw new RefusedError(400, "expected the page's own name");
      }
      return seat.sit(page, query.has("takes"));
    },
    "GET /facts": seated(({ query }, cluster) => facts(query, cluster, means)),
    "GET /stage": seated(({ query }, cluster) => words(query, cluster, means)),
    "GET /terminal": seated((asked, cluster) =>
      terminal(asked, cluster, means)
    ),
    "POST /run": seated(({ body }, cluster) => {
      const { title, script, args } = readOrder(body, cluster);
      return json({ run: runs.begin(title, means.script(script, args)) });
    }),
    ...learningRoutes(means, seated),
    "POST /stop": seated(({ body }) => {
      runs.stop(Number(textIn(body, "run")));
      return json({});
    }),
    "POST /exercise": seated(async ({ body }, cluster) =>
      json(await exercises.run(readExerciseOrder(body, cluster)))
    ),
    "POST /exercise/stop": seated(() => {
      exercises.stop();
      return json({});
    }),
    "POST /trace": seated(({ body }, cluster) => trace(body, cluster, means)),
    "POST /untrace": seated(() => {
      reading.showTrace(undefined);
      return json({});
    }),
    "POST /looked": seated(({ body }) => {
      reading.lookedAt(textIn(body, "node"));
      return json({});
    }),
  };
}

/** The tour, and what is said of the matrix ahead of a run. */
function learningRoutes(means: Means, seated: Seated): PageRoutes {
  const { runs, predictions, script } = means;
  return {
    "GET /tour": seated(async ({ query }, cluster) =>
      json(await tourView(query, cluster, means))
    ),
    "POST /tour": seated(async ({ body }, cluster) => {
      const order = await readStop(body, cluster);
      const command = script(order.script, order.args);
      return json({ run: runs.begin(order.title, command) });
    }),
    "GET /predict": seated((_, cluster) => json(predictions.view(cluster))),
    "POST /predict": seated(({ body }, cluster) => {
      const marks = marksIn(body);
      const order = readOrder(body, cluster);
      const command = script(order.script, order.args);
      const run = runs.begin(order.title, command);
      predictions.begin(run, order.title, marks);
      return json({ run });
    }),
  };
}

/** @throws {RefusedError} where the file cannot be read now */
async function known(file: string): Promise<Cluster> {
  try {
    return await clusterAsKnown(file);
  } catch (error) {
    if (!(error instanceof ClusterFileError)) throw error;
    throw new RefusedError(409, error.message);
  }
}

async function facts(
  query: URLSearchParams,
  cluster: Cluster,
  { reading }: Means,
): Promise<Response> {
  const name = textIn(query, "node") ?? "";
  checkNode(name, cluster);
  const { nodeOf, outside } = reachOf(cluster);
  const node = name === outsideName && outside ? outside : nodeOf(name);
  const sandbox = textIn(query, "sandbox");
  const questions = questionsOf(cluster, reading.inventory(), name, sandbox);
  try {
    return json(await askAbout(node, questions));
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    throw new RefusedError(502, error.message);
  }
}

/** A stage's why, all its commands, and those that a run would execute now. */
async function words(
  query: URLSearchParams,
  cluster: Cluster,
  { script }: Means,
): Promise<Response> {
  const stage = stageNames.find((name) => name === textIn(query, "name"));
  if (stage === undefined) throw new RefusedError(404, "no such stage");
  const node = textIn(query, "node");
  if (node !== undefined) checkNode(node, cluster);
  const on = node === undefined ? [] : ["--node", node];
  const [commands, pending] = await Promise.all([
    printed(script(stage, [...on, "--dry-run", "--no-probes"])),
    printed(script(stage, [...on, "--dry-run"])),
  ]);
  const answer: StageWords = { why: why(stage, cluster), commands, pending };
  return json(answer);
}

/** The tour's sentences are of a lab. */
function why(stage: StageName, cluster: Cluster): readonly string[] {
  const node = cluster.nodes.find(({ role }) => role === "worker") ??
    cluster.nodes[0];
  if (cluster.provider !== "lab" || node === undefined) return [];
  return tourTexts[stage].sentences({ cluster, node });
}

async function printed(command: Command): Promise<string> {
  const outcome = await run(command, { timeout_ms: limit_ms });
  return outcome.stdout.trim() || outcome.stderr.trim();
}

async function trace(
  body: unknown,
  cluster: Cluster,
  { script, reading }: Means,
): Promise<Response> {
  const order = readTrace(body, cluster);
  const outcome = await run(script(order.script, order.args), {
    timeout_ms: limit_ms,
  });
  const report = readReport(outcome.stdout);
  if (report === undefined) {
    throw new RefusedError(502, outcome.stderr.trim() || "the trace failed");
  }
  reading.showTrace(report);
  return json({ title: order.title });
}

function readReport(text: string): TraceReport | undefined {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A shell on a machine or in a pod, or a script that wants a terminal. */
function terminal(
  { request, query }: PageRequest,
  cluster: Cluster,
  { script, terminals }: Means,
): Response {
  const size = readSize(query);
  if (size === undefined || request.headers.get("upgrade") !== "websocket") {
    throw new RefusedError(400, "expected a WebSocket, columns and rows");
  }
  if (query.has("stage")) {
    const order = readOrder(query, cluster);
    const command = script(order.script, order.args);
    return terminals.open(request, size, () => Promise.resolve(command));
  }
  const node = textIn(query, "node") ?? "";
  checkNode(node, cluster);
  const pod = textIn(query, "sandbox");
  return terminals.open(
    request,
    size,
    () => enteringCommand(cluster, { node, pod, terminal: true }),
  );
}
