/** The causes in stage 09's findings, as text for people. Pure. */
import { causeLines } from "../diagnosis/cause.ts";
import type { MatrixReport, OthersReport } from "./matrix_report.ts";
import {
  expectedWords,
  labels,
  observedWords,
  type WordOptions,
} from "./matrix_cells.ts";

/** A cause: what it explains, its evidence, and what mends it. */
export function note(
  cause: MatrixReport["causes"][number],
  report: MatrixReport,
  options: WordOptions,
): string {
  const { cluster } = options;
  const both = cluster.clusterCIDRs.length > 1;
  const lines = [`[${cause.number}] ${cause.what}`];
  for (const pods of report.pods) {
    if (pods.cause !== cause.number) continue;
    lines.push(`    test pods on ${pods.node}: expected yes, saw no`);
  }
  for (const { node, cause: number } of report.nodes ?? []) {
    if (number !== cause.number) continue;
    lines.push(`    node ${node}: expected Ready, saw NotReady`);
  }
  for (const { node, cause: number } of report.dns ?? []) {
    if (number !== cause.number) continue;
    lines.push(`    pod → DNS, ${node}: expected an address, saw none`);
  }
  for (const { node, cause: number } of report.hairpin ?? []) {
    if (number !== cause.number) continue;
    lines.push(`    pod → own service, ${node}: expected yes, saw no`);
  }
  for (const { node, cause: number } of report.hostPorts ?? []) {
    if (number !== cause.number) continue;
    lines.push(`    hostPort → pod, ${node}: expected yes, saw no`);
  }
  for (const others of report.others ?? []) {
    if (others.cause !== cause.number) continue;
    lines.push(`    ${othersWords(others)}`);
  }
  const explained = report.paths.filter((path) => path.cause === cause.number);
  for (const path of explained) {
    const { observed } = path;
    if (observed.answer === "untried") continue;
    const more = observed.answer === "no" ? observed.said : observed.source;
    lines.push(
      `    ${labels[path.kind]}, ${path.from} → ${path.to}${
        both ? `, IPv${path.family}` : ""
      }: expected ${expectedWords(path, report, options)}; saw ` +
        `${observedWords(path, options)} (${more})`,
    );
  }
  const untried = explained
    .filter(({ observed }) => observed.answer === "untried").length;
  if (untried > 0) {
    const paths = untried === 1 ? "1 path" : `${untried} paths`;
    lines.push(`    ${paths} could not be tried without it`);
  }
  lines.push(...causeLines(cause).map((line) => `    ${line}`));
  return lines.join("\n");
}

function othersWords(
  { node, cutOff, heldTwice, withoutLease }: OthersReport,
): string {
  const pods = `other pods on ${node}: expected`;
  if (heldTwice > 0) {
    return `${pods} an address each, saw ${heldTwice} held twice`;
  }
  return withoutLease > 0
    ? `${pods} a lease each, saw ${withoutLease} without`
    : `${pods} all plugged in, saw ${cutOff} that ${
      cutOff === 1 ? "is" : "are"
    } not`;
}
