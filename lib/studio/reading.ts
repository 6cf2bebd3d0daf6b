/** Reads the cluster for the page, when there is reason to: picture, then stages, then matrix. */
import { reachOf } from "../cli/connect.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { loadCluster } from "../cluster/load.ts";
import { makeLine } from "../cluster/make_line.ts";
import { ClusterFileError } from "../cluster/yaml.ts";
import { CommandError } from "../exec/command.ts";
import { type Inventory, inventory } from "../inventory/inventory.ts";
import { UnreachableError } from "../node/node.ts";
import { pictureChanges } from "../picture/diff.ts";
import type { RunContext } from "../stage/context.ts";
import { JournalError, StepError } from "../stage/errors.ts";
import type { Stage } from "../stage/stage.ts";
import { clusterStatus, type StageStatus } from "../status/status.ts";
import type { TraceReport } from "../trace/report.ts";
import { look, type Situation } from "../verify/situation.ts";
import { verify } from "../verify/verify.ts";
import type { MatrixState } from "./matrix_state.ts";
import { pageState } from "./page_state.ts";
import type { PageState } from "./protocol.ts";

/** What is read, and who is told. */
interface ReadingOptions {
  /** The cluster's file. */
  readonly file: string;
  readonly stages: readonly Stage[];
  readonly probed: readonly Stage[];
  readonly context: RunContext;
  /** Told of what the page shows, each time that it is otherwise. */
  readonly tell: (state: PageState) => void;
  /** Told of what came of the paths, each time that they were tried. */
  readonly tried: (seen: MatrixState, cluster: Cluster) => void;
}

/** A cluster that is read while a page is open. */
export interface ClusterReading {
  /** Reads it now, or again once the reading that is under way is done. */
  readonly nudge: () => void;
  /** Reads the picture alone, and goes on only where it is otherwise. */
  readonly glance: () => void;
  /** What was seen last. */
  readonly last: () => PageState | undefined;
  readonly inventory: () => Inventory | undefined;
  readonly cluster: () => Cluster | undefined;
  /** A node was looked at: what is new there is new no more. None: all of them. */
  readonly lookedAt: (node: string | undefined) => void;
  /** Shows a trace, or none. */
  readonly showTrace: (trace: TraceReport | undefined) => void;
}

/** What is known of the cluster. */
interface Known {
  cluster?: Cluster;
  /** As each node was when it was looked at. */
  before?: Inventory;
  now?: Inventory;
  stages: readonly StageStatus[];
  seen: MatrixState;
  news: readonly string[];
  trace?: TraceReport | undefined;
  problem?: string | undefined;
}

/** Between two readings, while stages change one thing after the other. */
const pause_ms = 300;

/** Prepares the reading; nothing is read yet. */
export function openReading(options: ReadingOptions): ClusterReading {
  const known: Known = {
    stages: [],
    seen: { is: "untried", why: "" },
    news: [],
  };
  let last: PageState | undefined;
  const publish = () => {
    const state = stateOf(known);
    if (state === undefined) return;
    if (last !== undefined && JSON.stringify(state) === JSON.stringify(last)) {
      return;
    }
    last = state;
    options.tell(state);
  };
  let reading = false;
  let wanted: "all" | "glance" | undefined;
  let current = new AbortController();
  const round = async (): Promise<void> => {
    if (reading) return;
    reading = true;
    while (wanted !== undefined) {
      const how = wanted;
      wanted = undefined;
      current = new AbortController();
      await readOnce(known, { ...options, how, old: current.signal, publish });
      await new Promise((resolve) => setTimeout(resolve, pause_ms));
    }
    reading = false;
  };
  return {
    nudge: () => {
      wanted = "all";
      // Paths are tried again anyway, and those that end nowhere take seconds.
      current.abort();
      round();
    },
    glance: () => {
      wanted ??= "glance";
      round();
    },
    last: () => last,
    inventory: () => known.now,
    cluster: () => known.cluster,
    lookedAt: (node) => {
      const before = lookedAt(known, node);
      if (before !== undefined) known.before = before;
      publish();
    },
    showTrace: (trace) => {
      known.trace = trace;
      publish();
    },
  };
}

function stateOf(known: Known): PageState | undefined {
  const { cluster, now, before, stages, seen, news, trace, problem } = known;
  if (cluster === undefined || now === undefined) return undefined;
  return pageState({
    cluster,
    inventory: now,
    stages,
    seen,
    news,
    ...(before === undefined ? {} : { before }),
    ...(trace === undefined ? {} : { trace }),
    ...(problem === undefined ? {} : { problem }),
  });
}

/** The cluster as it was looked at last, with a node of it, or all, as they are now. */
function lookedAt(
  { now, before }: Known,
  node: string | undefined,
): Inventory | undefined {
  if (now === undefined || before === undefined || node === undefined) {
    return now;
  }
  return {
    ...before,
    nodes: before.nodes.map((old) =>
      old.name === node
        ? now.nodes.find(({ name }) => name === node) ?? old
        : old
    ),
  };
}

/** A reading under way. */
interface RoundOptions extends ReadingOptions {
  readonly how: "all" | "glance";
  readonly publish: () => void;
  /** What is seen is old already. */
  readonly old: AbortSignal;
}

/** One reading; what is wrong with the cluster's file is told on the page. */
async function readOnce(
  known: Known,
  options: RoundOptions,
): Promise<void> {
  const { context, stages, how, publish, old } = options;
  try {
    // Stages find things out: the cluster is read anew each time.
    const cluster = await clusterAsKnown(options.file);
    const reach = reachOf(cluster);
    const now = await inventory(cluster, reach, context);
    const isSame = known.now !== undefined && isAlike(known.now, now);
    if (how === "glance" && isSame && known.problem === undefined) return;
    const news = known.now === undefined
      ? []
      : pictureChanges(known.now, now, cluster);
    if (news.length > 0) known.news = news;
    Object.assign(known, { cluster, now, problem: undefined });
    known.before ??= now;
    if (known.stages.length > 0) publish();
    known.stages =
      (await clusterStatus(cluster, reach, stages, context)).stages;
    publish();
    const seen = await tryPaths(cluster, options);
    if (old.aborted) return;
    known.seen = seen;
    options.tried(seen, cluster);
    publish();
  } catch (error) {
    const problem = problemOf(error);
    if (problem === undefined) throw error;
    known.problem = problem;
    publish();
  }
}

/** What a reading may fail of without an end of the page. */
function problemOf(error: unknown): string | undefined {
  const isExpected = error instanceof ClusterFileError ||
    error instanceof UnreachableError || error instanceof CommandError ||
    error instanceof StepError || error instanceof JournalError;
  return isExpected ? error.message : undefined;
}

function isAlike(a: Inventory, b: Inventory): boolean {
  const text = (one: Inventory) => JSON.stringify({ ...one, at: "" });
  return text(a) === text(b);
}

/** The cluster as it is known; before 02, without what 02 finds out. */
export async function clusterAsKnown(file: string): Promise<Cluster> {
  try {
    return await loadCluster(file);
  } catch (error) {
    if (!(error instanceof ClusterFileError)) throw error;
    return await loadCluster(file, { ignoreFound: true });
  }
}

/** Tries the paths between the test pods that are there. */
async function tryPaths(
  cluster: Cluster,
  { probed, old, ...options }: RoundOptions,
): Promise<MatrixState> {
  const signal = AbortSignal.any([options.context.signal, old]);
  const context = { ...options.context, signal };
  try {
    const situation = await look(
      cluster,
      reachOf(cluster),
      context,
      undefined,
      { mayLack: true },
    );
    const selected = withPods(situation);
    if (selected.length === 0) {
      return {
        is: "untried",
        why: `No test pods: ${
          makeLine("09-verify", cluster)
        } starts them, from 05-plugin on`,
      };
    }
    const order = { selected, stages: probed, context };
    const { report, known } = await verify(situation, order);
    return { is: "tried", report, addresses: known };
  } catch (error) {
    const problem = problemOf(error);
    // What was broken off may fail in any way, and is not shown.
    if (problem === undefined && !old.aborted) throw error;
    return { is: "untried", why: `Not tried: ${problem}` };
  }
}

/**
 * The nodes whose pods all run, so that trying their paths starts nothing; none
 * unless every server answers.
 */
function withPods({ sites, outside, kubernetes }: Situation): string[] {
  // There, 09 applies a manifest first: a page that only looks must not.
  if (kubernetes !== undefined) return [];
  const all = [...sites.values()];
  if (!all.every(({ survey }) => survey.serving)) return [];
  if (outside.is === "there" && !outside.serving) return [];
  return all.filter(({ survey: { pods } }) =>
    Object.values(pods).every((pod) => pod.is === "running" && pod.serving)
  ).map(({ node }) => node.name);
}
