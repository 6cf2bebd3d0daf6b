/** What the page of `make watch` shows, put together from what was read. Pure. */
import type { Family } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { Addresses } from "../verify/matrix.ts";
import { note } from "../verify/matrix_notes.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import { rowsOf, summary } from "../verify/matrix_table.ts";
import type { StageOn } from "../status/stage_state.ts";
import type { StageStatus } from "../status/status.ts";
import { worded } from "../status/text.ts";
import type { CellTone, PageRow, PageState } from "./server.ts";

/** What reaches what, or why that is not known. */
export type MatrixState =
  | {
    readonly is: "tried";
    readonly report: MatrixReport;
    /** By family. */
    readonly addresses: ReadonlyMap<Family, Addresses>;
  }
  | { readonly is: "untried"; readonly why: string };

/** All that was read. */
export interface Sight {
  readonly cluster: Cluster;
  readonly inventory: Inventory;
  /** The stages as the nodes' probes tell of them. */
  readonly stages: readonly StageStatus[];
  readonly seen: MatrixState;
  /** SVG. */
  readonly picture: string;
  /** What is new, a sentence each. */
  readonly news: readonly string[];
}

/** The page's state. */
export function pageState(
  { cluster, inventory, stages, seen, picture, news }: Sight,
): PageState {
  const silent = inventory.nodes.flatMap(({ name, host }) =>
    host.is === "unreachable" ? [`${name}: ${host.why}`] : []
  );
  return {
    cluster: cluster.name,
    picture,
    nodes: inventory.nodes.map(({ name }) => name),
    stages: stages.map(({ name, on }) => ({
      label: name,
      cells: inventory.nodes.map((node) => stageCell(node, on)),
    })),
    matrix: matrixOf(seen, cluster),
    said: news.length === 0 ? "Nothing has changed yet" : news.join(". "),
    ...(silent.length === 0 ? {} : { problem: silent.join("; ") }),
  };
}

/** What is done on the operator's machine for all nodes is the same for each of them. */
function stageCell(
  { name, host }: Inventory["nodes"][number],
  on: readonly StageOn[],
): PageRow["cells"][number] {
  if (host.is === "unreachable") return { text: "?", tone: "quiet" };
  const found = on.find(({ where }) => where === name) ??
    on.find(({ where }) => where === "operator");
  if (found === undefined) return { text: "nothing to do", tone: "quiet" };
  const text = worded(found.is);
  switch (found.is) {
    case "applied":
      return { text: `✓ ${text}`, tone: "good" };
    case "drifted":
    case "partly":
      return { text: `✗ ${text}`, tone: "bad" };
    default:
      return { text, tone: "quiet" };
  }
}

function matrixOf(seen: MatrixState, cluster: Cluster): PageState["matrix"] {
  if (seen.is === "untried") {
    return { columns: [], rows: [], summary: seen.why, causes: "" };
  }
  const { report, addresses } = seen;
  const options = { cluster, addresses };
  return {
    columns: report.pods.map(({ node }) => node),
    rows: rowsOf(report, options).map(({ label, cells }) => ({
      label,
      cells: cells.map((text) => ({ text, tone: toneOf(text) })),
    })),
    summary: summary(report, cluster),
    causes: report.causes.map((cause) => note(cause, report, options))
      .join("\n\n"),
  };
}

/** Colour only repeats what the cell's own sign and word say. */
function toneOf(cell: string): CellTone {
  if (cell.startsWith("✗")) return "bad";
  return cell.startsWith("yes") ? "good" : "quiet";
}
