/** The likeliest cause of a worker's pods not being as they should. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import {
  cmd,
  type CommandError,
  ending,
  type Outcome,
  show,
} from "../exec/command.ts";
import type { NodeFacts } from "../diagnosis/evidence.ts";
import { caller, server } from "./namespace_pods.ts";
import {
  configFolder,
  parseList,
  pluginFolder,
  RuntimeError,
} from "../cni/runtime.ts";
import { bridgeAddressFault, bridgeFault } from "../diagnosis/faults.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { fullTables } from "../diagnosis/kernel_tables/full_tables.ts";
import { readTables } from "../diagnosis/kernel_tables/kernel_tables.ts";
import { podFault } from "../diagnosis/pod_faults.ts";
import { makeStage, newPods } from "../diagnosis/remedy.ts";
import type { Survey } from "./node_survey.ts";

/** What was found of a worker's pods themselves. */
export interface PodsTried {
  readonly node: string;
  readonly survey: Survey;
  /** What starting them said, where it failed. */
  readonly startError?: CommandError | RuntimeError;
  /** Why Kubernetes does not get them to run. */
  readonly stuck?: Cause;
  /** What CHECK said, where it failed. */
  readonly checkErrors: readonly CommandError[];
}

/**
 * The likeliest cause of a worker's pods not being as they should.
 *
 * @returns undefined when they are
 */
export function diagnosePods(
  tried: PodsTried,
  cluster: Cluster,
  facts: NodeFacts | undefined,
): Cause | undefined {
  const { node, survey, startError, stuck, checkErrors } = tried;
  const runtime = runtimeFault(node, survey);
  if (runtime !== undefined) return runtime;
  const isWell = startError === undefined && stuck === undefined &&
    checkErrors.length === 0;
  if (isWell) return undefined;
  if (facts !== undefined) {
    const fault = bridgeFault(facts, cluster) ??
      bridgeAddressFault(facts, cluster) ??
      podFault(facts, caller, cluster, true) ??
      podFault(facts, server, cluster, true);
    if (fault !== undefined) return fault;
    const tables = readTables(facts.tables.outcome) ?? [];
    const [full] = fullTables(tables, cluster, node)
      .filter(({ is, table }) => is === "full" && table.of === "processes");
    if (full !== undefined) return full.cause;
  }
  if (stuck !== undefined) return stuck;
  const [error = startError] = checkErrors;
  if (error instanceof RuntimeError || error === undefined) {
    return {
      kind: "configuration",
      on: node,
      what: error?.message ?? "",
      evidence: [],
      remedies: [makeStage("03-cni-config", node)],
    };
  }
  const started = checkErrors.length === 0;
  return {
    kind: started ? "start" : "check",
    on: node,
    what: started
      ? `a pod on ${node} could not be started`
      : `CHECK says that a pod on ${node} is not as ADD left it`,
    evidence: [{
      where: error.where,
      command: show(error.command),
      printed: said(error.outcome),
    }],
    remedies: started ? [{ make: "up" }] : newPods(node),
  };
}

/** Could a runtime start a further pod? */
function runtimeFault(node: string, survey: Survey): Cause | undefined {
  const { list, plugins } = survey;
  if (list === undefined) {
    return {
      kind: "configuration",
      on: node,
      what: `${configFolder} on ${node} has no network configuration: no ` +
        "further pod can start there",
      evidence: [{
        where: node,
        command: `ls ${configFolder}`,
        printed: "no .conf, .conflist or .json",
      }],
      remedies: [makeStage("03-cni-config", node)],
    };
  }
  let types: readonly string[];
  try {
    types = parseList(list.text, list.path).plugins.map(({ type }) => type);
  } catch (error) {
    if (!(error instanceof RuntimeError)) throw error;
    return {
      kind: "configuration",
      on: node,
      what: `${error.message}: no further pod can start on ${node}`,
      evidence: [{
        where: node,
        command: show(cmd`cat ${list.path}`),
        printed: list.text,
      }],
      remedies: [makeStage("03-cni-config", node)],
    };
  }
  const missing = types.filter((type) => !plugins.includes(type));
  if (missing.length === 0) return undefined;
  return {
    kind: "executable",
    on: node,
    what: `${pluginFolder} on ${node} lacks ${missing.join(", ")}, which ` +
      `${list.path} names: no further pod can start there`,
    evidence: [{
      where: node,
      command: `ls ${pluginFolder}`,
      printed: plugins.join(" ") || "nothing",
    }],
    remedies: [makeStage("05-plugin", node)],
  };
}

function said(outcome: Outcome): string {
  const text = [outcome.stdout.trim(), outcome.stderr.trim()]
    .filter((text) => text !== "").join("\n");
  return `${text || "nothing"} (${ending(outcome)})`;
}
