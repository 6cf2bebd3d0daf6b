/** What `make bench` measured, and how it is shown. */

/** One thing that was measured, beside a peer's or a bound or both. */
export interface Measured {
  readonly what: string;
  /** In the unit. */
  readonly ours: number;
  readonly unit: "ms" | "s" | "MB" | "M" | "files" | "requests" | "routes";
  /** What another program needed for its own way of doing it, in the same run. */
  readonly peer?: { readonly name: string; readonly value: number };
  /** What it is to be at most: our figure in the unit, or its ratio to the peer's. */
  readonly atMost?: { readonly of: "value" | "ratio"; readonly limit: number };
}

/** What could not be measured, because something failed on the way. */
export interface NotMeasured {
  readonly what: string;
  /** What failed, in the words of the error. */
  readonly failed: string;
}

/** What a part of the bench gives. */
export interface BenchPart {
  /** The table's heading: what was measured on, how often, in which form. */
  readonly title: string;
  readonly rows: readonly (Measured | NotMeasured)[];
  /** What could not be measured and why, and what else is to be known; a line each. */
  readonly notes: readonly string[];
}

/**
 * The middle one of some values, or the mean of the two in the middle.
 *
 * @throws {RangeError} when there is none
 */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const low = sorted[Math.floor((sorted.length - 1) / 2)];
  const high = sorted[Math.ceil((sorted.length - 1) / 2)];
  if (low === undefined || high === undefined) {
    throw new RangeError("Cannot take the median of no values");
  }
  return (low + high) / 2;
}

/** Our figure as a multiple of the peer's. */
function ratio({ ours, peer }: Measured): number | undefined {
  return peer === undefined ? undefined : ours / peer.value;
}

/** Whether the figure is above what it is to be at most, or could not be had. */
export function isOver(measured: Measured | NotMeasured): boolean {
  if ("failed" in measured) return true;
  const { atMost, ours } = measured;
  if (atMost === undefined) return false;
  const figure = atMost.of === "value" ? ours : ratio(measured);
  // A ratio that was asked for and could not be had is no success.
  return figure === undefined || figure > atMost.limit;
}

/**
 * A part as a table, one line a row; "OVER" marks what exceeds its bound, "FAILED"
 * what could not be measured, and a line below says why.
 */
export function benchTable({ title, rows, notes }: BenchPart): string {
  const lines = rows.map((row) => {
    if ("failed" in row) return [row.what, "", "", "", "", "FAILED"];
    const { what, ours, unit, peer, atMost } = row;
    const times = ratio(row);
    return [
      what,
      `${figure(ours)} ${unit}`,
      peer === undefined ? "" : `${figure(peer.value)} ${unit} (${peer.name})`,
      times === undefined ? "" : `${times.toFixed(2)}×`,
      atMost === undefined
        ? ""
        : `${atMost.limit}${atMost.of === "ratio" ? "×" : ` ${unit}`}`,
      isOver(row) ? "OVER" : "",
    ];
  });
  const cells = [["", "ours", "peer", "ratio", "at most", ""], ...lines];
  const widths =
    cells[0]?.map((_, column) =>
      Math.max(...cells.map((row) => row[column]?.length ?? 0))
    ) ?? [];
  const text = cells.map((row) =>
    row.map((cell, column) => {
      const width = widths[column] ?? 0;
      return column === 0 ? cell.padEnd(width) : cell.padStart(width);
    }).join("  ").trimEnd()
  );
  const failures = rows.flatMap((row) =>
    "failed" in row ? [`${row.what}: ${row.failed}`] : []
  );
  const below = [...notes, ...failures].map((note) => `- ${note}`);
  return [title, "", ...text, ...below].join("\n");
}

/** Three digits that count. */
function figure(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
