/** The matrix of stage 09 as the page shows it: each cell with its path and its cause. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Family } from "../net/cidr.ts";
import {
  type Addresses,
  columnOf,
  endsAtPod,
  otherEndOf,
  startsAtPod,
} from "../verify/matrix.ts";
import { cell, labels, type WordOptions } from "../verify/matrix_cells.ts";
import { note } from "../verify/matrix_notes.ts";
import type { MatrixReport, PathReport } from "../verify/matrix_report.ts";
import { rowsOf, summary } from "../verify/matrix_table.ts";
import { caller, server } from "../verify/namespace_pods.ts";
import type { CellTone, MatrixCell, PageState } from "./protocol.ts";

/** What reaches what, or why that is not known. */
export type MatrixState =
  | {
    readonly is: "tried";
    readonly report: MatrixReport;
    /** By family. */
    readonly addresses: ReadonlyMap<Family, Addresses>;
  }
  | { readonly is: "untried"; readonly why: string };

/** The matrix as the page shows it. */
export function matrixOf(
  seen: MatrixState,
  cluster: Cluster,
): PageState["matrix"] {
  if (seen.is === "untried") {
    return { columns: [], rows: [], summary: seen.why };
  }
  const { report, addresses } = seen;
  const options = { cluster, addresses };
  const columns = report.pods.map(({ node }) => node);
  return {
    columns,
    rows: rowsOf(report, options).map(({ label, cells }) => ({
      label,
      cells: cells.map((text, at): MatrixCell => ({
        text,
        tone: toneOf(text),
        ...causeOf(text, report, options),
        ...endsOf(
          report.paths.find((path) =>
            columnOf(path) === columns[at] && isOfRow(path, label) &&
            cell(path, report, options) === text
          ),
        ),
      })),
    })),
    summary: summary(report, cluster),
  };
}

/** Colour only repeats what the cell's own sign and word say. */
export function toneOf(cell: string): CellTone {
  if (cell.startsWith("✗")) return "bad";
  return cell.startsWith("yes") ? "good" : "quiet";
}

/** A cell that is not as expected names its cause by number. */
function causeOf(
  text: string,
  report: MatrixReport,
  options: WordOptions,
): Pick<MatrixCell, "cause"> {
  const [, number] = /\[(\d+)\]$/.exec(text) ?? [];
  const cause = report.causes.find((one) => String(one.number) === number);
  return cause === undefined ? {} : { cause: note(cause, report, options) };
}

/** Whether a row is of a path's kind, and, where it names them, its family and other end. */
function isOfRow(path: PathReport, label: string): boolean {
  const other = otherEndOf(path);
  const [, family] = /, IPv([46])/.exec(label) ?? [];
  if (family !== undefined && family !== String(path.family)) return false;
  if (path.kind === "node-to-other-pod" && label.startsWith(`${other} → pod`)) {
    return true;
  }
  const own = label.replace(/, IPv[46]/, "");
  return own === labels[path.kind] || own === `${labels[path.kind]}: ${other}`;
}

/** The ends of a path as a trace takes them. */
function endsOf(path: PathReport | undefined): Pick<MatrixCell, "from" | "to"> {
  if (path === undefined) return {};
  return {
    from: startsAtPod(path) ? `${path.from}/${caller}` : path.from,
    to: endsAtPod(path) ? `${path.to}/${server}` : path.to,
  };
}
