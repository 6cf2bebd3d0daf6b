/** Stage 09's findings put together as a report. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import type { Known } from "./try_paths.ts";
import type { Family } from "../net/cidr.ts";
import { podsWaitFor } from "./expected.ts";
import {
  columnOf,
  isAsExpected,
  type Path,
  type Tried,
  workersOf,
} from "./matrix.ts";
import type { DnsTried, NodeTried } from "./kubernetes_checks.ts";
import type {
  DnsReport,
  HairpinReport,
  HostPortReport,
  LongReport,
  MatrixReport,
  NodeReadiness,
  OthersReport,
  PathReport,
  PodsReport,
} from "./matrix_report.ts";
import type { HairpinTried } from "./hairpin.ts";
import type { HostPortTried } from "./host_port.ts";
import type { LongTried } from "./long_packets.ts";
import type { OthersTried } from "./other_pods.ts";
import { caller, server } from "./namespace_pods.ts";
import { senderRemarks, unfilteredRemark } from "./report_remarks.ts";
import type { Situation } from "./situation.ts";
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
  /** What Kubernetes says of the nodes; nothing where there is none. */
  readonly nodes: readonly NodeTried[];
  /** What became of names in pods; nothing where there is no Kubernetes. */
  readonly dns: readonly DnsTried[];
  /** What became of pods' calls to themselves. */
  readonly hairpins: readonly HairpinTried[];
  /** What became of calls to ports of the nodes. */
  readonly hostPorts: readonly HostPortTried[];
  /** The nodes whose other pods are not as they should be. */
  readonly others: readonly OthersTried[];
  /** The nodes from which long packets are lost. */
  readonly long: readonly LongTried[];
}

/** The report; equal causes are told once. */
export function matrixReport(findings: Findings): MatrixReport {
  const { situation: { cluster, progress }, views } = findings;
  const tried = views.flatMap(({ family, tried }) =>
    tried.map((one) => ({ family, ...one }))
  );
  const { causes, numberOf } = numbering(cluster);
  const pods = podsReports(findings, tried, numberOf);
  const paths = tried.map((one) => pathReport(one, findings, numberOf));
  const nodes = findings.nodes.map(({ cause, ...node }): NodeReadiness => ({
    ...node,
    asExpected: cause === undefined,
    ...numberOf(cause),
  }));
  const dns = findings.dns.map((one) => dnsReport(one, paths, numberOf));
  const hairpin = findings.hairpins.map(({ cause, ...one }): HairpinReport => ({
    ...one,
    asExpected: cause === undefined,
    // What is wrong with the pod itself explains it.
    ...numberOf(cause && (findings.explained.pods.get(one.node) ?? cause)),
  }));
  const hostPorts = findings.hostPorts.map((one) =>
    hostPortReport(one, findings, paths, numberOf)
  );
  const others = findings.others.map((
    { node, trouble, count, cause },
  ): OthersReport => ({
    node,
    cutOff: trouble === "cut off" ? count : 0,
    heldTwice: trouble === "address held twice" ? count : 0,
    withoutLease: trouble === "no lease" ? count : 0,
    asExpected: false,
    ...numberOf(cause),
  }));
  const long = findings.long.map(({ node, cause }): LongReport => ({
    node,
    asExpected: false,
    ...numberOf(cause),
  }));
  const next = nextStage(pods, tried);
  return {
    version: 1,
    cluster: cluster.name,
    passed: paths.length > 0 && causes.length === 0,
    complete: Object.fromEntries(progress.complete),
    pods,
    ...(nodes.length === 0 ? {} : { nodes }),
    ...(dns.length === 0 ? {} : { dns }),
    ...(hairpin.length === 0 ? {} : { hairpin }),
    ...(hostPorts.length === 0 ? {} : { hostPorts }),
    ...(others.length === 0 ? {} : { others }),
    ...(long.length === 0 ? {} : { long }),
    paths,
    causes,
    remarks: [
      ...findings.remarks,
      ...views.flatMap(({ tried }) => senderRemarks(tried, cluster)),
      ...unfilteredRemark(progress),
    ],
    ...(next === undefined ? {} : { next }),
  };
}

/** What a report says of a cause: its number, or nothing where there is none. */
type NumberOf = (cause: Cause | undefined) => { readonly cause?: number };

/** Numbers causes as they come; a cause that was there before keeps its number. */
function numbering(cluster: Cluster): {
  readonly causes: readonly (CauseReport & { readonly number: number })[];
  readonly numberOf: NumberOf;
} {
  const causes: (CauseReport & { readonly number: number })[] = [];
  const numberOf: NumberOf = (cause) => {
    if (cause === undefined) return {};
    const at = causes.findIndex(({ kind, on, what }) =>
      kind === cause.kind && on === cause.on && what === cause.what
    );
    const same = causes[at];
    if (same !== undefined) {
      // A firewall lets one path's packets pass, and the next path's are others.
      if (cause.kind === "rule") {
        const mend = new Set([...same.mend, ...reported(cause, cluster).mend]);
        causes[at] = { ...same, mend: [...mend] };
      }
      return { cause: same.number };
    }
    const number = causes.length + 1;
    causes.push({ number, ...reported(cause, cluster) });
    return { cause: number };
  };
  return { causes, numberOf };
}

function podsReports(
  { situation, selected, views, explained }: Findings,
  tried: readonly Tried[],
  numberOf: NumberOf,
): readonly PodsReport[] {
  const columns = new Set(tried.map(({ path }) => columnOf(path)));
  const known = views.map(({ known }) => known);
  const { cluster, sites, gone } = situation;
  return workersOf(cluster).map(({ name }) => name)
    .filter((name) => sites.has(name) || gone?.has(name))
    .filter((name) => selected.includes(name) || columns.has(name))
    .map((node): PodsReport => {
      if (gone?.has(node)) {
        const cause = numberOf(explained.pods.get(node));
        return { node, addresses: {}, asExpected: false, ...cause };
      }
      const addresses = podAddresses(known, node);
      const waitsFor = podsWaitFor(situation.progress, node);
      if (waitsFor !== undefined) {
        return { node, waitsFor, addresses, asExpected: true };
      }
      const cause = explained.pods.get(node);
      const asExpected = cause === undefined;
      return { node, addresses, asExpected, ...numberOf(cause) };
    });
}

function pathReport(
  one: Tried & { readonly family: Family },
  { explained }: Findings,
  numberOf: NumberOf,
): PathReport {
  const { path, family, expected, expectedSource, observed } = one;
  return {
    ...path,
    family,
    expected,
    ...(expectedSource === undefined ? {} : { expectedSource }),
    observed,
    asExpected: isAsExpected(one),
    ...numberOf(explained.paths.get(path)),
  };
}

function dnsReport(
  { node, resolved, cause }: DnsTried,
  paths: readonly PathReport[],
  numberOf: NumberOf,
): DnsReport {
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
}

function hostPortReport(
  { cause, ...one }: HostPortTried,
  { explained }: Findings,
  paths: readonly PathReport[],
  numberOf: NumberOf,
): HostPortReport {
  // What keeps other nodes from the pod keeps them from it by the port, too.
  const wider = paths.find(({ kind, to, asExpected }) =>
    kind === "node-to-other-pod" && to === one.node && !asExpected
  )?.cause;
  return {
    ...one,
    asExpected: cause === undefined,
    ...(cause === undefined || wider === undefined
      ? numberOf(cause && (explained.pods.get(one.node) ?? cause))
      : { cause: wider }),
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
