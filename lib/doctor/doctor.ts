/**
 * The doctor: asks every node for all known traps, with two questions a node,
 * and reads the answers.
 */
import { withAdopted } from "../stage/adopted.ts";
import { otherNodes } from "../stage/run_stage.ts";
import type { Stage } from "../stage/stage.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, type RunOptions } from "../exec/command.ts";
import {
  type Check,
  type CheckContext,
  type Finding,
  type FindingReport,
  unasked,
} from "./check.ts";
import { agentCheck } from "./agent.ts";
import { daemonCheck } from "./daemon.ts";
import { settingChecks } from "./bridge_settings.ts";
import { filterChecks } from "./filter.ts";
import { firewallChecks } from "./firewalls.ts";
import { hostPorts } from "./host_ports.ts";
import { journalCheck } from "./journal.ts";
import { kernelTables } from "./kernel_tables.ts";
import { kubernetesCheck } from "./kubernetes.ts";
import { leaseChecks } from "./leases.ts";
import { linkChecks } from "./links.ts";
import { machineChecks } from "./machine.ts";
import { networkPolicies } from "./network_policies.ts";
import { packetPath } from "./packet_path.ts";
import { pluginRuns } from "./plugin_runs.ts";
import { policyRouting } from "./policy_routing.ts";
import { podChecks } from "./pods.ts";
import { routeChecks } from "./routes.ts";
import { segmentCheck } from "./segments.ts";
import { tunnelCheck } from "./tunnels.ts";
import { twins } from "./twins.ts";
import { defaultRoute } from "./default_route.ts";
import { impairments } from "./impairments.ts";
import { sessionCheck } from "./sessions.ts";
import { interfaceChecks } from "./settings.ts";
import { reported } from "../diagnosis/cause.ts";
import { askRouter } from "../diagnosis/segments/router_answer.ts";
import { type Evidence, evidence } from "../diagnosis/evidence.ts";
import { inventory, type InventoryNode } from "../inventory/inventory.ts";
import { type Reach, UnreachableError } from "../node/node.ts";
import { askAll, type Asked } from "../node/batch.ts";

/** All known traps. */
export const checks: readonly Check[] = [
  ...filterChecks,
  ...firewallChecks,
  packetPath,
  kernelTables,
  impairments,
  ...linkChecks,
  ...settingChecks,
  ...interfaceChecks,
  ...podChecks,
  ...routeChecks,
  segmentCheck,
  tunnelCheck,
  sessionCheck,
  defaultRoute,
  policyRouting,
  twins,
  ...machineChecks,
  pluginRuns,
  ...leaseChecks,
  daemonCheck,
  agentCheck,
  journalCheck,
  kubernetesCheck,
  networkPolicies,
  hostPorts,
];

/** What the doctor found; the data of `-o json`. */
export interface DoctorReport {
  readonly version: 1;
  readonly cluster: string;
  readonly nodes: readonly NodeFindings[];
}

/** A node, and what was found there. */
export type NodeFindings =
  | { readonly node: string; readonly is: "unreachable"; readonly why: string }
  | {
    readonly node: string;
    readonly is: "examined";
    readonly checks: readonly CheckReport[];
  };

/** A check, and what it found; nothing where all is well. */
export interface CheckReport {
  readonly name: string;
  readonly well: string;
  readonly findings: readonly FindingReport[];
}

/**
 * Examines nodes; changes nothing.
 *
 * @param names of the nodes; the others are looked at too, for what is wrong between nodes
 * @param stages what is on a node counts as theirs, also where its journal does not say so
 */
export async function examine(
  cluster: Cluster,
  reach: Reach,
  names: readonly string[],
  options: RunOptions,
  stages: readonly Stage[] = [],
): Promise<DoctorReport> {
  const { nodeOf } = reach;
  const { nodes: seen } = await inventory(
    cluster,
    { ...reach, outside: undefined },
    options,
  );
  const [router, ...nodes] = await Promise.all([
    askRouter(cluster, nodeOf, options),
    ...seen.map((node) => adopting(node, cluster, stages, reach, options)),
  ]);
  const reports = nodes.filter(({ name }) => names.includes(name))
    .map(async ({ name, host }): Promise<NodeFindings> => {
      const node = cluster.nodes.find((node) => node.name === name);
      if (host.is !== "read" || node === undefined) {
        const why = host.is === "read" ? "no such node" : host.why;
        return { node: name, is: "unreachable", why };
      }
      const from_s = Math.floor(Date.now() / 1000);
      const asked = { from_s, until_s: from_s };
      const context: CheckContext = {
        ...{ cluster, node, host, nodes, asked },
        ...(router === undefined ? {} : { router }),
      };
      try {
        return {
          node: name,
          is: "examined",
          checks: await examineOne(context, nodeOf, options),
        };
      } catch (error) {
        if (!(error instanceof UnreachableError)) throw error;
        return { node: name, is: "unreachable", why: error.reason };
      }
    });
  return {
    version: 1,
    cluster: cluster.name,
    nodes: await Promise.all(reports),
  };
}

async function adopting(
  node: InventoryNode,
  cluster: Cluster,
  stages: readonly Stage[],
  reach: Reach,
  options: RunOptions,
): Promise<InventoryNode> {
  const { name, host } = node;
  const planned = cluster.nodes.find((node) => node.name === name);
  const has = planned !== undefined && planned.podCIDRs.length > 0;
  if (host.is !== "read" || host.journalFault !== undefined || !has) {
    return node;
  }
  try {
    const complete = await withAdopted(
      host.complete,
      reach.nodeOf(name),
      cluster,
      stages,
      otherNodes(reach),
      options,
    );
    return { ...node, host: { ...host, complete } };
  } catch (error) {
    // What there is to say of it, its own checks will find.
    if (error instanceof UnreachableError) return node;
    throw error;
  }
}

/** @throws {UnreachableError} */
async function examineOne(
  context: CheckContext,
  nodeOf: Reach["nodeOf"],
  options: RunOptions,
): Promise<readonly CheckReport[]> {
  const { node: { name: where } } = context;
  const questions = checks.map((check) => check.asks?.(context) ?? []);
  const answers = await askAll(
    nodeOf(where),
    questions.flat().map((command) => ({ where, command })),
    options,
  );
  const until_s = Math.ceil(Date.now() / 1000);
  const asked = { ...context.asked, until_s };
  const found = read({ ...context, asked }, questions, answers);
  const printed = await fillEvidence(
    found.flatMap(({ findings }) => findings),
    nodeOf,
    options,
  );
  return found.map(({ name, well, findings }) => ({
    name,
    well,
    findings: findings.map((finding) =>
      reportFinding(finding, printed, context.cluster)
    ),
  }));
}

/** @param questions of each check, in the order of the checks */
function read(
  context: CheckContext,
  questions: readonly (readonly unknown[])[],
  answers: readonly Asked[],
): readonly {
  readonly name: string;
  readonly well: string;
  readonly findings: readonly Finding[];
}[] {
  let at = 0;
  return checks.map((check, index) => {
    const end = at + (questions[index]?.length ?? 0);
    const own = answers.slice(at, end);
    at = end;
    const { name, well } = check;
    return { name, well, findings: check.read(context, own) };
  });
}

/**
 * Runs what evidence still lacks, where there is any: one question to each
 * node that it is about.
 */
async function fillEvidence(
  found: readonly Finding[],
  nodeOf: Reach["nodeOf"],
  options: RunOptions,
): Promise<ReadonlyMap<Evidence, string>> {
  const lacking = found
    .flatMap((finding) => "evidence" in finding ? finding.evidence : [])
    .filter(({ printed }) => printed === unasked);
  const printed = new Map<Evidence, string>();
  const byNode = Map.groupBy(lacking, ({ where }) => where);
  await Promise.all([...byNode].map(async ([where, own]) => {
    const answers = await askAll(
      nodeOf(where),
      own.map(({ command }) => ({ where, command: cmd`sh -c ${command}` })),
      options,
    );
    own.forEach((one, at) => {
      const asked = answers[at];
      printed.set(one, asked === undefined ? "" : evidence(asked).printed);
    });
  }));
  return printed;
}

/** A finding with what its evidence printed, and with lines that mend it. */
function reportFinding(
  finding: Finding,
  printed: ReadonlyMap<Evidence, string>,
  cluster: Cluster,
): FindingReport {
  if (!("evidence" in finding)) return finding;
  const evidence = finding.evidence.map((one) => ({
    ...one,
    printed: printed.get(one) ?? one.printed,
  }));
  return finding.is === "unknown"
    ? { ...finding, evidence }
    : reported({ ...finding, evidence }, cluster);
}

/** How many findings of a kind there are. */
export function countFindings(report: DoctorReport, is: Finding["is"]): number {
  return report.nodes.flatMap((node) =>
    node.is === "examined" ? node.checks : []
  ).flatMap(({ findings }) => findings).filter((one) => one.is === is).length;
}
