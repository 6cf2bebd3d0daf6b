/** Results as text and as data. Pure. */
import type { Status, StepResult } from "../stage/result.ts";
import { type StageName, stageNames } from "../stage/stage.ts";

/** A node's counts, as the recap shows them. */
type Counts = Readonly<Record<Status, number>>;

/** The data form of a run (`-o json`). */
export interface RunReport {
  readonly version: 1;
  readonly cluster: string;
  readonly results: readonly StepResult[];
  /** By node; "operator" is the machine that the scripts run on. */
  readonly recap: Readonly<Record<string, Counts>>;
}

/**
 * Counts results by node.
 *
 * @param order the nodes' names as the cluster file has them; the operator's machine comes first
 */
function count(
  results: readonly StepResult[],
  order: readonly string[],
): Map<string, Counts> {
  const seen = new Set(results.map(({ node }) => node));
  const first = ["operator", ...order].filter((node) => seen.has(node));
  const nodes = new Set([...first, ...seen]);
  const byNode = new Map([...nodes].map((node) => [
    node,
    { ok: 0, changed: 0, failed: 0, unreachable: 0 },
  ]));
  for (const { node, status } of results) {
    const counts = byNode.get(node);
    if (counts !== undefined) counts[status] += 1;
  }
  return byNode;
}

/** A line for one step: where, what became of it, the command. */
export function stepLine(result: StepResult, nodeWidth: number): string {
  const node = result.node.padEnd(nodeWidth);
  const what = result.command === "" ? result.why : result.command;
  return `  ${node}  ${result.status.padEnd(7)}  ${what}`;
}

/** All that is known about a failure. */
export function failure(result: StepResult): string {
  const lines = [
    `${result.stage}: ${result.status} on ${result.node}`,
    ...(result.command === "" ? [] : [`command: ${result.command}`]),
    `run for: ${result.why}`,
    ...(result.problem ?? "").split("\n"),
  ];
  return lines.map((line, at) => at === 0 ? line : `  ${line}`).join("\n");
}

/** A line for a stage that ran with others. */
export function stageLine(
  name: StageName,
  summary: string,
  results: readonly StepResult[],
): string {
  const worst = (["unreachable", "failed", "changed"] as const)
    .find((status) => results.some((result) => result.status === status));
  const changed = results.filter(({ status }) => status === "changed").length;
  const word = worst === "changed" ? `changed ${changed}` : worst ?? "ok";
  const width = Math.max(...stageNames.map((name) => name.length));
  return `${name.padEnd(width)}  ${word.padEnd(11)}  ${summary}`;
}

/** What every node came out with. */
export function recap(
  results: readonly StepResult[],
  order: readonly string[],
): string {
  const byNode = count(results, order);
  const width = Math.max(0, ...[...byNode.keys()].map((name) => name.length));
  return [...byNode].map(([name, counts]) =>
    `${name.padEnd(width)}  ok=${counts.ok} changed=${counts.changed} ` +
    `failed=${counts.failed} unreachable=${counts.unreachable}`
  ).join("\n");
}

/** The data form of a run. */
export function runReport(
  cluster: string,
  order: readonly string[],
  results: readonly StepResult[],
): RunReport {
  return {
    version: 1,
    cluster,
    results,
    recap: Object.fromEntries(count(results, order)),
  };
}
