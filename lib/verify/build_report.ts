/** Stage 09's findings put together as a report. Pure. */
import type { Known } from "./try_paths.ts";
import type { Family } from "../net/cidr.ts";
import {
  columnOf,
  isAsExpected,
  type Path,
  podsWaitFor,
  type StageProgress,
  type Tried,
} from "./matrix.ts";
import type { DnsTried, NodeTried } from "./kubernetes_start.ts";
import type {
  DnsReport,
  MatrixReport,
  NodeReadiness,
  PathReport,
  PodsReport,
} from "./matrix_report.ts";
import { caller, server } from "./namespace_pods.ts";
import { type Situation, workerSites } from "./situation.ts";
import type { StageName } from "../stage/stage.ts";
import { type Cause, type CauseReport, reported } from "../diagnosis/cause.ts";

/** What explains what was not expected. */
export interface Explained {
  /** By node: why its pods are not as they should be. */
  readonly pods: ReadonlyMap<string, Cause>;
  readonly paths: ReadonlyMap<Path, Cause>;
}

/** What a report is made of. */
interface Findings {
  readonly situation: Situation;
  readonly selected: readonly string[];
  /** What was tried, a family at a time. */
  readonly views: readonly {
    readonly family: Family;
    readonly known: Known;
    readonly tried: readonly Tried[];
  }[];
  readonly explained: Explained;
  /** What became of pods while they were started, a sentence each. */
  readonly remarks: readonly string[];
  /** What Kubernetes says of the nodes, and what became of names in pods; nothing where there is none. */
  readonly nodes: readonly NodeTried[];
  readonly dns: readonly DnsTried[];
}

function unfilteredRemark(progress: StageProgress): readonly string[] {
  const names = [...progress.unfiltered];
  if (names.length === 0) return [];
  return [
    `${
      names.join(", ")
    }: no /proc/sys/net/bridge (br_netfilter is not loaded), ` +
    "so iptables never sees what passes between pods of one node: " +
    "that path is open from 05 on",
  ];
}

/** The report; equal causes are told once. */
export function matrixReport(findings: Findings): MatrixReport {
  const { situation, selected, views, explained } = findings;
  const tried = views.flatMap(({ family, tried }) =>
    tried.map((one) => ({ family, ...one }))
  );
  const { cluster, progress } = situation;
  const causes: (CauseReport & { number: number })[] = [];
  const numberOf = (cause: Cause | undefined): { cause?: number } => {
    if (cause === undefined) return {};
    const same = causes.find(({ kind, on, what }) =>
      kind === cause.kind && on === cause.on && what === cause.what
    );
    if (same !== undefined) return { cause: same.number };
    const number = causes.length + 1;
    causes.push({ number, ...reported(cause, cluster) });
    return { cause: number };
  };
  const columns = new Set(tried.map(({ path }) => columnOf(path)));
  const pods = workerSites(situation).map(({ node: { name } }): PodsReport => {
    const addresses = podAddresses(views.map(({ known }) => known), name);
    const stage = podsWaitFor(progress, name);
    if (stage !== undefined) {
      return { node: name, waitsFor: stage, addresses, asExpected: true };
    }
    const cause = explained.pods.get(name);
    const asExpected = cause === undefined;
    return { node: name, addresses, asExpected, ...numberOf(cause) };
  }).filter(({ node }) => selected.includes(node) || columns.has(node));
  const paths = tried.map((one): PathReport => ({
    ...one.path,
    family: one.family,
    expected: one.expected,
    ...(one.expectedSource === undefined
      ? {}
      : { expectedSource: one.expectedSource }),
    observed: one.observed,
    asExpected: isAsExpected(one),
    ...numberOf(explained.paths.get(one.path)),
  }));
  const nodes = findings.nodes.map((
    { node, ready, waitsFor, cause },
  ): NodeReadiness => ({
    node,
    ready,
    ...(waitsFor === undefined ? {} : { waitsFor }),
    asExpected: cause === undefined,
    ...numberOf(cause),
  }));
  const dns = findings.dns.map(({ node, resolved, cause }): DnsReport => {
    // What keeps the pod from other pods keeps it from the DNS server, too.
    const wider = paths.find((path) =>
      path.from === node && path.kind.startsWith("pod-to-pod") &&
      !path.asExpected
    )?.cause;
    return {
      node,
      ...(resolved.answer === "yes" ? { address: resolved.address } : {}),
      asExpected: cause === undefined,
      ...(cause === undefined || wider === undefined
        ? numberOf(cause)
        : { cause: wider }),
    };
  });
  const next = nextStage(pods, tried);
  return {
    version: 1,
    cluster: cluster.name,
    passed: paths.length > 0 && causes.length === 0,
    complete: Object.fromEntries(progress.complete),
    pods,
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(dns.length === 0 ? {} : { dns }),
    paths,
    causes,
    remarks: [...findings.remarks, ...unfilteredRemark(progress)],
    ...(next === undefined ? {} : { next }),
  };
}

/** The addresses of each pod that is there, one a family. */
function podAddresses(
  known: readonly Known[],
  node: string,
): Record<string, readonly string[]> {
  const of = (pod: string, addresses: readonly (string | undefined)[]) => {
    const own = addresses.filter((address) => address !== undefined);
    return own.length === 0 ? {} : { [pod]: own };
  };
  return {
    ...of(caller, known.map(({ callers }) => callers.get(node))),
    ...of(server, known.map(({ servers }) => servers.get(node))),
  };
}

/** The first stage that anything waits for. */
function nextStage(
  pods: readonly PodsReport[],
  tried: readonly Tried[],
): StageName | undefined {
  const awaited = [
    ...pods.flatMap(({ waitsFor }) => waitsFor ?? []),
    ...tried.flatMap(({ expected }) =>
      expected.answer === "no" ? expected.missing[0].stage : []
    ),
  ];
  return awaited.toSorted()[0];
}
