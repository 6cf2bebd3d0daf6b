/** What the doctor found as text for people: 80 columns, no meaning by colour. Pure. */
import { causeLines, pasteLine } from "../diagnosis/cause.ts";
import {
  type CheckReport,
  countFindings,
  type DoctorReport,
  type NodeFindings,
} from "./doctor.ts";
import type { FindingReport } from "./check.ts";
import { printable } from "../text/printable.ts";
import { wrap } from "../text/wrap.ts";

/** How much is told. */
interface DoctorTextOptions {
  /** A line for each check, also where all is well. */
  readonly verbose?: boolean;
  /** What is to be mended alone. */
  readonly quiet?: boolean;
}

/** The report, node by node, and a line at the end that sums it up. */
export function doctorText(
  report: DoctorReport,
  options: DoctorTextOptions = {},
): string {
  const nodes = report.nodes.map((node) => nodeLines(node, options))
    .filter((lines) => lines.length > 1 || options.quiet !== true)
    .map((lines) => lines.join("\n"));
  return [...nodes, ...(options.quiet ? [] : [summary(report)])].join("\n\n");
}

const rank = {
  "fault": 0,
  "warning": 1,
  "unknown": 2,
  "not yet": 3,
  "does not apply": 4,
} as const;

function nodeLines(
  report: NodeFindings,
  { verbose = false, quiet = false }: DoctorTextOptions,
): string[] {
  const { node } = report;
  if (report.is === "unreachable") {
    return [node, wrap(printable(report.why), "  unreachable  ")];
  }
  const all = report.checks.flatMap((check) =>
    check.findings.map((finding) => ({ check, finding }))
  ).toSorted((a, b) => rank[a.finding.is] - rank[b.finding.is]);
  const told = all.filter(({ finding: { is } }) =>
    quiet ? rank[is] < 2 : rank[is] < 3 || verbose
  );
  return [
    node,
    ...told.flatMap(({ check, finding }) => findingLines(check, finding)),
    ...(quiet ? [] : restLines(report.checks, verbose)),
  ];
}

const hanging = "    ";

function findingLines(
  { name }: CheckReport,
  finding: FindingReport,
): string[] {
  const until = finding.is === "not yet" ? ` (until ${finding.until})` : "";
  const first = wrap(
    printable(`${name}: ${finding.what}${until}`),
    `  ${finding.is}  `,
    hanging,
  );
  if (!("evidence" in finding)) return [first];
  const { evidence } = finding;
  const lines = causeLines(
    finding.is === "unknown" ? { evidence, mend: [] } : finding,
  );
  return [
    first,
    ...lines.map((line) => {
      // A command to paste stays in one line.
      if (pasteLine.test(line)) return hanging + line;
      const [, own = "", text = ""] = /^( *)(.*)$/s.exec(line) ?? [];
      return wrap(text, hanging + own, `${hanging}${own}  `);
    }),
  ];
}

/** What there is nothing to do about: in a line, or a line each. */
function restLines(
  checks: readonly CheckReport[],
  verbose: boolean,
): string[] {
  const well = checks.filter(({ findings }) => findings.length === 0);
  if (verbose) {
    return well.map(({ name, well }) =>
      wrap(`${name}: ${well}`, "  ok  ", hanging)
    );
  }
  const waiting = new Map<string, string[]>();
  const absent: string[] = [];
  for (const { name, findings } of checks) {
    for (const finding of findings) {
      if (finding.is === "does not apply") absent.push(name);
      if (finding.is !== "not yet") continue;
      const names = waiting.get(finding.until) ?? [];
      waiting.set(finding.until, [
        ...names.filter((one) => one !== name),
        name,
      ]);
    }
  }
  return [
    ...[...waiting].map(([stage, names]) =>
      wrap(
        `${names.join(", ")}: until ${stage} has run`,
        "  not yet  ",
        hanging,
      )
    ),
    `  ok  ${well.length} of ${checks.length} checks` +
    (absent.length > 0 ? `; ${new Set(absent).size} do not apply here` : ""),
  ];
}

const counted = (number: number, what: string) =>
  `${number} ${what}${number === 1 ? "" : "s"}`;

function summary(report: DoctorReport): string {
  const { nodes } = report;
  const gone = nodes.filter(({ is }) => is === "unreachable");
  const found = (["fault", "warning"] as const)
    .flatMap((is) => {
      const number = countFindings(report, is);
      return number === 0 ? [] : [counted(number, is)];
    });
  const unknown = countFindings(report, "unknown");
  const parts = [
    ...found,
    ...(unknown === 0 ? [] : [`${unknown} unknown`]),
    ...(gone.length === 0
      ? []
      : [`${counted(gone.length, "node")} unreachable`]),
  ];
  if (parts.length > 0) return parts.join(", ");
  const waits = countFindings(report, "not yet") > 0;
  return `All well on ${counted(nodes.length, "node")}` +
    (waits ? ", as far as the stages have run" : "");
}
