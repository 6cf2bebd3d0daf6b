/** What the page of `make studio` shows, put together from what was read. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { drawSvg } from "../picture/picture.ts";
import { picturePlaces } from "../picture/places.ts";
import type { StageOn } from "../status/stage_state.ts";
import type { StageStatus } from "../status/status.ts";
import { worded } from "../status/text.ts";
import type { TraceReport } from "../trace/report.ts";
import { hopInWords, traceText } from "../trace/text.ts";
import { matrixOf, type MatrixState } from "./matrix_state.ts";
import type { PageState, StageCell, TraceView, WalkStep } from "./protocol.ts";

/** All that was read. */
export interface Sight {
  readonly cluster: Cluster;
  readonly inventory: Inventory;
  /** The cluster as it was when each node was looked at last: what is new since is marked. */
  readonly before?: Inventory;
  /** The stages as the nodes' probes tell of them. */
  readonly stages: readonly StageStatus[];
  readonly seen: MatrixState;
  /** What is new, a sentence each. */
  readonly news: readonly string[];
  readonly trace?: TraceReport;
  readonly problem?: string;
}

/** The page's state. */
export function pageState(sight: Sight): PageState {
  const { cluster, inventory, before, stages, seen, news, trace } = sight;
  const options = { cluster, ...(before === undefined ? {} : { before }) };
  const { walk, ...places } = picturePlaces(inventory, cluster, before);
  const silent = inventory.nodes.flatMap(({ name, host }) =>
    host.is === "unreachable" ? [`${name}: ${host.why}`] : []
  );
  const problems = [...silent, ...(sight.problem ?? "").split("\n")]
    .filter((line) => line !== "");
  return {
    cluster: cluster.name,
    nodes: inventory.nodes.map(({ name }) => name),
    picture: { svg: drawSvg(inventory, options), ...places },
    stages: stages.map(({ name, summary, on }) => ({
      name,
      summary,
      cells: inventory.nodes.map((node) => stageCell(node, on)),
    })),
    matrix: matrixOf(seen, cluster),
    ...(trace === undefined ? {} : { trace: traceView(trace, walk(trace)) }),
    said: newsText(news),
    ...(problems.length === 0 ? {} : { problem: problems.join("; ") }),
  };
}

/** A line is read out at each change: it has to be short. */
const newsTold = 2;

function newsText(news: readonly string[]): string {
  if (news.length === 0) return "Nothing has changed yet";
  const more = news.length - newsTold;
  return [
    ...news.slice(0, newsTold),
    ...(more > 0 ? [`${more} more ${more === 1 ? "change" : "changes"}`] : []),
  ].join(". ");
}

/** What is done on the operator's machine for all nodes is the same for each of them. */
function stageCell(
  { name: node, host }: Inventory["nodes"][number],
  on: readonly StageOn[],
): StageCell {
  if (host.is === "unreachable") return { node, text: "?", tone: "quiet" };
  const found = on.find(({ where }) => where === node) ??
    on.find(({ where }) => where === "operator");
  if (found === undefined) {
    return { node, text: "nothing to do", tone: "quiet" };
  }
  const text = worded(found.is);
  switch (found.is) {
    case "applied":
      return { node, text: `✓ ${text}`, tone: "good" };
    case "drifted":
    case "partly":
      return { node, text: `✗ ${text}`, tone: "bad" };
    default:
      return { node, text, tone: "quiet" };
  }
}

function traceView(
  trace: TraceReport,
  walk: readonly WalkStep["points"][],
): TraceView {
  const { hops, delivered, cause } = trace;
  const [title = "", ...rest] = traceText(trace).split("\n");
  const verdict = !delivered
    ? "NOT DELIVERED"
    : cause === undefined
    ? "DELIVERED, and the answer came back"
    : "DELIVERED, but not as it should be";
  return {
    title,
    verdict: cause === undefined ? verdict : `${verdict}: ${cause.what}`,
    isWell: delivered && cause === undefined,
    steps: hops.map((hop, at): WalkStep => ({
      direction: hop.direction,
      outcome: hop.outcome,
      ...hopInWords(hop),
      points: walk[at] ?? [],
    })),
    text: rest.join("\n").trim(),
  };
}
