import { makeLine } from "../cluster/make_line.ts";
import type { StageStatus, StatusReport } from "./status.ts";
import type { StageOn, StageState } from "./stage_state.ts";
import { type StageName, stageNames } from "../stage/stage.ts";
import { makeStage, remedyLine } from "../diagnosis/remedy.ts";
import { isSilent } from "../inventory/agent.ts";
import { printable } from "../text/printable.ts";
import { wrap } from "../text/wrap.ts";
import type { NodeStatus } from "./node_status.ts";
import {
  cutOffLines,
  leaseLines,
  podLines,
  type StatusTextOptions,
} from "./pod_text.ts";

/** Whether there is nothing yet: no machine, and the stage that makes them was not run. */
export function isUnmade({ nodes, stages }: StatusReport): boolean {
  const [first] = stages;
  return nodes.every(({ unreachable }) => unreachable !== undefined) &&
    first?.on.some(({ is }) => is === "not") === true;
}

/** The report. */
export function statusText(
  report: StatusReport,
  options: StatusTextOptions,
): string {
  const { cluster: { file, provider } } = options;
  if (provider === "lab" && isUnmade(report)) {
    return `No lab "${report.cluster}": ${makeLine("up", { file })}`;
  }
  return [
    nodeLines(report.nodes),
    stageLines(report.stages),
    unknownLines(report),
    driftLines(report.stages, options),
    podLines(report.nodes, options),
    (report.strangers ?? []).map((line) => wrap(line, "", "  ")),
    cutOffLines(report.nodes, options),
    leaseLines(report.nodes, options),
    daemonLines(report.nodes),
    sessionLines(report.nodes),
    agentLines(report.nodes),
    nextLine(report, options),
  ].filter((lines) => lines.length > 0).map((lines) => lines.join("\n"))
    .join("\n\n");
}

function nodeLines(nodes: readonly NodeStatus[]): string[] {
  const rows = nodes.flatMap(rowsOf);
  const head = ["node", "address", "podCIDR", "pods", "leases"];
  const widths = head.map((text, at) =>
    Math.max(text.length, ...rows.map((row) => row[at]?.length ?? 0))
  );
  return [head, ...rows].map((row) =>
    row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join("  ").trimEnd()
  ).concat(
    nodes.flatMap(({ name, unreachable }) =>
      unreachable === undefined
        ? []
        : [wrap(printable(`${name} is unreachable: ${unreachable}`))]
    ),
  );
}

/** A row for each family. */
function rowsOf({ name, addresses, podCIDRs, has }: NodeStatus): string[][] {
  const families = Math.max(1, addresses.length, podCIDRs.length);
  return Array.from({ length: families }, (_, at) => [
    at === 0 ? name : "",
    addresses[at] ?? "",
    podCIDRs[at] ?? "none yet",
    at > 0 ? "" : has === undefined ? "unreachable" : `${has.pods.length}`,
    leasesOf(has?.leases[at]),
  ]);
}

function leasesOf(
  leases: { readonly held: number; readonly capacity: number } | undefined,
): string {
  if (leases === undefined) return "";
  const { held, capacity } = leases;
  // The addresses of a /64 are too many to count.
  return capacity > 1e6 ? `${held}` : `${held} of ${capacity}`;
}

const order: readonly StageState[] = [
  "drifted",
  "partly",
  "unknown",
  "not",
  "applied",
];

function stageLines(stages: readonly StageStatus[]): string[] {
  const width = Math.max(...stageNames.map((name) => name.length)) + 2;
  return stages.map(({ name, on }) =>
    wrap(standing(on), name.padEnd(width), " ".repeat(width))
  );
}

/** A word where all machines agree; else the machines by their states, the troubled ones first. */
function standing(on: readonly StageOn[]): string {
  if (on.length === 0) return "nothing to do";
  const groups = order.map((state) => ({
    state,
    own: on.filter(({ is }) => is === state),
  })).filter(({ own }) => own.length > 0);
  const [only] = groups;
  if (groups.length === 1 && only !== undefined) {
    return worded(only.state);
  }
  return groups.map(({ state, own }) => {
    const named = state === "applied" && own.length > few
      ? `${own.length} others`
      : own.map(({ where }) => where).join(", ");
    return `${worded(state)} on ${named}`;
  }).join("; ");
}

const few = 4;

/** Why it is unknown how a stage stands; that a node does not answer is told with the node. */
function unknownLines({ nodes, stages }: StatusReport): string[] {
  const told = nodes.flatMap(({ unreachable }) => unreachable ?? []);
  // What stands in the way of all stages is told once.
  const reasons = new Map<string, StageName[]>();
  for (const { name, on } of stages) {
    for (const { where, is, problems } of on) {
      if (is !== "unknown") continue;
      for (const problem of problems) {
        if (told.includes(problem)) continue;
        const reason = `${where}: ${problem}`;
        reasons.set(reason, [...reasons.get(reason) ?? [], name]);
      }
    }
  }
  const lines = [...reasons].flatMap(([reason, [first = "", ...more]]) => {
    const which = more.length === 0
      ? first
      : `${first} and ${more.length} more`;
    const [head = "", ...rest] = reason.split("\n");
    return [
      wrap(printable(`${which} on ${head}`), "  ", "    "),
      // A command to paste stays in one line.
      ...rest.map((line) =>
        line.startsWith("make ") ? `    ${line}` : wrap(line, "    ")
      ),
    ];
  });
  return lines.length === 0 ? [] : ["Nobody can say:", ...lines];
}

/** What a stage that was run would change now, and what stands in the way of one. */
function driftLines(
  stages: readonly StageStatus[],
  { cluster, verbose = false }: StatusTextOptions,
): string[] {
  const lines = stages.flatMap(({ name, on }) =>
    on.filter(({ is, problems }) =>
      is === "drifted" || is === "partly" ||
      (problems.length > 0 && is !== "unknown")
    ).flatMap(({ where, is, changes, problems }) => {
      const remedy = where === "operator"
        ? { stage: name }
        : makeStage(name, where);
      return [
        `  ${where}, ${name} (${worded(is)}): ${counted(changes, problems)}`,
        ...problems.flatMap((text) =>
          text.split("\n").map((line) => wrap(printable(line), "    "))
        ),
        ...(verbose
          ? changes.flatMap(({ why, command }) => [
            wrap(printable(`# ${why}`), "    ", "    # "),
            `    $ ${printable(command)}`,
          ])
          : []),
        `    ${remedyLine(remedy, cluster)}`,
      ];
    })
  );
  return lines.length === 0 ? [] : ["What a stage would change now:", ...lines];
}

/** How much a run would do, and how much of it would be refused. */
function counted(
  { length: steps }: StageOn["changes"],
  { length: refused }: StageOn["problems"],
): string {
  const toDo = `${steps} step${steps === 1 ? "" : "s"} to do`;
  if (refused === 0) return toDo;
  return steps === 0 ? `${refused} refused` : `${toDo}, ${refused} refused`;
}

/** How a stage stands, in a word or two. */
export function worded(is: StageState): string {
  return is === "not" ? "not applied" : is;
}

/** A line for what several nodes have alike. */
function daemonLines(nodes: readonly NodeStatus[]): string[] {
  const standing = nodes.flatMap(({ name, has }) => {
    if (has?.daemon === undefined) return [];
    const { installed, serving } = has.daemon;
    const own = serving.find(({ version }) => version === installed);
    const [other] = serving;
    const what = own !== undefined
      ? `of version ${own.version}, the installed one`
      : other !== undefined
      ? `of version ${other.version}; installed is ${installed ?? "none"}`
      : "does not run";
    return [{ name, what }];
  });
  const groups = Map.groupBy(standing, ({ what }) => what);
  const lines = [...groups].map(([what, on]) =>
    wrap(printable(`${on.map(({ name }) => name).join(", ")}: ${what}`), "  ")
  );
  return lines.length === 0 ? [] : ["The plugin's daemon:", ...lines];
}

/** How many BGP sessions each node has, and what bird says of those that are down. */
function sessionLines(nodes: readonly NodeStatus[]): string[] {
  const lines = nodes.flatMap(({ name, has: { sessions = [] } = {} }) => {
    if (sessions.length === 0) return [];
    const down = sessions.filter(({ state }) => state !== "Established");
    const up = `${sessions.length - down.length} of ${sessions.length} up`;
    const states = down.map(({ name, state, error }) =>
      `, ${name} ${state}${error === undefined ? "" : ` (${error})`}`
    );
    return [wrap(printable(`${name}: ${up}${states.join("")}`), "  ")];
  });
  return lines.length === 0 ? [] : ["BGP sessions:", ...lines];
}

/** How each agent stands. */
function agentLines(nodes: readonly NodeStatus[]): string[] {
  const lines = nodes.flatMap(({ name, has }) => {
    if (has?.agent === undefined) return [];
    const { version, age_s, outcome, repaired, follows, unreachable } =
      has.agent;
    const run = isSilent(has.agent)
      ? `nothing heard of it for ${Math.round(age_s / 60)} minutes`
      : `last run ${outcome}, ${age_s} s ago`;
    const api = !follows
      ? "nodes of the cluster file"
      : unreachable === undefined
      ? "API server answers"
      : "no API server";
    const what = `version ${version}, ${run}, repaired ${repaired}, ${api}`;
    return [wrap(printable(`${name}: ${what}`), "  ")];
  });
  return lines.length === 0 ? [] : ["Agents:", ...lines];
}

/** What to do next: what has drifted first, else the first stage that is not applied. */
function nextLine(
  { stages, nodes }: StatusReport,
  { cluster }: StatusTextOptions,
): string[] {
  const all = stages.flatMap(({ on }) => on);
  if (all.some(({ is }) => is === "drifted" || is === "partly")) return [];
  const next = stages.find(({ on }) => on.some(({ is }) => is === "not"));
  if (next !== undefined) return [`Next: ${makeLine(next.name, cluster)}`];
  if (nodes.some(({ unreachable }) => unreachable !== undefined)) return [];
  if (nodes.some(({ has }) => has?.cutOff !== undefined)) return [];
  return all.some(({ is }) => is === "unknown") ? [] : [
    `All stages are applied; what reaches what: ${
      makeLine("09-verify", cluster)
    }`,
  ];
}
