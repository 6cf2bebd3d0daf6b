/**
 * Why the paths of a kind are as they are: the cause that stage 09 found where
 * something is not as it should be, else what stage 09 expects, and of which
 * stages that comes (lib/verify/expected.ts). Pure.
 */
import { someNames } from "../text/some_names.ts";
import { expect } from "../verify/expected.ts";
import type { Missing, PathKind } from "../verify/matrix.ts";
import { opener } from "../verify/matrix.ts";
import type { MatrixReport, PathReport } from "../verify/matrix_report.ts";
import type { StageName } from "../stage/stage.ts";

/** Paths that are as they are for one reason. */
interface Group {
  readonly paths: readonly PathReport[];
  readonly lines: readonly string[];
}

/**
 * The reasons of all paths of a kind.
 *
 * @returns a sentence or a line of evidence each
 */
export function whyOf(
  kind: PathKind,
  report: MatrixReport,
): readonly string[] {
  const own = report.paths.filter((path) => path.kind === kind);
  if (own.length === 0) return [withoutPods(report)];
  const groups: readonly Group[] = [
    ...Map.groupBy(own, (path) => reasonKey(path, report)).values(),
  ].map((paths) => ({ paths, lines: reason(paths, report) }));
  if (groups.length === 1) return groups.flatMap(({ lines }) => lines);
  return groups.flatMap(({ paths, lines: [first = "", ...more] }) => [
    `${
      someNames([...new Set(paths.map(({ from, to }) => `${from} → ${to}`))])
    }: ${first}`,
    ...more,
  ]);
}

function withoutPods({ pods }: MatrixReport): string {
  const waiting = pods.find(({ waitsFor }) => waitsFor !== undefined);
  return waiting?.waitsFor === undefined
    ? "There are no pods to try it with."
    : `There are no pods yet: they wait for ${waiting.waitsFor} on ` +
      `${waiting.node}.`;
}

/** Paths with equal keys have one reason. */
function reasonKey(path: PathReport, report: MatrixReport): string {
  const { asExpected, cause, expected } = path;
  if (!asExpected) return `cause ${cause}`;
  if (expected.answer === "no") {
    return `no ${expected.missing.map(({ stage }) => stage).join()}`;
  }
  return `yes ${expected.as} ${
    needsOf(path, report).map(({ stage }) => stage)
  }`;
}

function reason(
  paths: readonly PathReport[],
  report: MatrixReport,
): readonly string[] {
  const [path] = paths;
  if (path === undefined) return [];
  if (!path.asExpected) {
    const cause = report.causes.find(({ number }) => number === path.cause);
    if (cause === undefined) return ["It is not as it should be."];
    return [
      `It is not as it should be [${cause.number}]: ${cause.what}.`,
      ...cause.evidence.flatMap(({ where, command, printed }) => [
        `${where}$ ${command}`,
        ...printed.split("\n").map((line) => `  ${line}`),
      ]),
    ];
  }
  const { expected, kind } = path;
  if (expected.answer === "no") {
    const missing = together(
      paths.flatMap(({ expected }) =>
        expected.answer === "no" ? expected.missing : []
      ),
    );
    const { stage } = opener(expected);
    return [`It waits for ${stagesOn(missing)}. ${without(stage, kind)}`];
  }
  const needs = together(paths.flatMap((path) => needsOf(path, report)));
  return [`${has(kind, needs)} ${seenAs(path)}`.trim()];
}

/** What a path that answers needs, and has. */
function needsOf(path: PathReport, report: MatrixReport): readonly Missing[] {
  const { from, to, kind, expected } = path;
  const has = (stage: StageName, node: string) =>
    report.complete[node]?.includes(stage) ?? false;
  const all = expect(path, { complete: new Map(), unfiltered: new Set() });
  if (all.answer === "yes") return [];
  // Its way back is a route, where nothing rewrites it.
  if (kind === "pod-to-other-node" && expected.answer === "yes") {
    const back: Missing = expected.as === "pod"
      ? { stage: "08-routes", on: [to] }
      : { stage: "07-masquerade", on: [from] };
    return [{ stage: "06-forwarding", on: [from] }, back];
  }
  // What a path has no need of here, as filtered frames, is no reason.
  return all.missing.filter(({ stage, on }) =>
    on.every((node) => has(stage, node))
  );
}

/** Equal stages once, with all of their nodes. */
function together(needs: readonly Missing[]): readonly Missing[] {
  return [...Map.groupBy(needs, ({ stage }) => stage)].flatMap(
    ([stage, own]): Missing[] => {
      const [first, ...more] = new Set(own.flatMap(({ on }) => on));
      return first === undefined ? [] : [{ stage, on: [first, ...more] }];
    },
  );
}

function stagesOn(needs: readonly Missing[]): string {
  return needs.map(({ stage, on }) => `${stage} on ${someNames(on)}`)
    .join(", and for ");
}

/** What keeps a path from being answered before a stage. */
function without(stage: StageName, kind: PathKind): string {
  switch (stage) {
    case "06-forwarding":
      return kind === "pod-to-pod-same-node"
        ? "Before it the chain FORWARD drops also the frames that only cross " +
          "the bridge."
        : "Before it a node passes on nothing that is for another machine.";
    case "07-masquerade":
      return "Before it a packet leaves with the pod's address, and nobody " +
        "out there knows a way back to that.";
    case "08-routes":
      return "Before it a node has no route to the pods of another node.";
    default:
      return "Before it there are no pods.";
  }
}

/** Why a path is answered. */
function has(kind: PathKind, needs: readonly Missing[]): string {
  if (needs.length > 0) {
    const list = needs.map(({ stage, on }) => `${stage} on ${someNames(on)}`);
    return `All that it needs is complete: ${list.join(", ")}.`;
  }
  return kind === "pod-to-pod-same-node"
    ? "The node's kernel does not show to iptables what only crosses the " +
      "bridge, so it needs no stage but the pods' own."
    : "The pod and its node are on one bridge, so nothing has to be " +
      "forwarded: it needs no stage but the pods' own.";
}

/** Why the receiver sees the one or the other. */
function seenAs({ kind, expected }: PathReport): string {
  if (expected.answer === "no") return "";
  switch (kind) {
    case "pod-to-pod-other-node":
      return "What stays inside of the pod network is not rewritten, so the " +
        "receiver sees the pod.";
    case "pod-to-other-node":
    case "pod-to-outside":
      return expected.as === "pod"
        ? "Nothing rewrites it without 07-masquerade, so the receiver sees the " +
          "pod."
        : "07-masquerade puts the node's address in place of the pod's on what " +
          "leaves the pod network.";
    default:
      return "";
  }
}
