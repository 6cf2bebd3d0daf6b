/** What is to be told to Kubernetes of the agent's own Node after a run. */
import type { ClusterNode } from "../cluster/cluster.ts";
import { vtepMac } from "../net/vxlan.ts";
import type { NodeRecord } from "./node_record.ts";
import type { NodeReporter, Trouble } from "./node_report.ts";

/** What came of a run, as far as Kubernetes is told of it. */
interface ToldOfRun {
  readonly troubles: readonly Trouble[];
  readonly isUp: boolean;
  /** The node as it is planned with; none where nothing could be planned. */
  readonly planned: ClusterNode | undefined;
  /** The node as Kubernetes has it. */
  readonly record: NodeRecord;
}

/**
 * Tells it, as far as that is not there already.
 *
 * @throws what a request throws
 */
export async function tellKubernetes(
  reporter: NodeReporter,
  { troubles, isUp, planned, record }: ToldOfRun,
  signal: AbortSignal,
): Promise<void> {
  for (const trouble of troubles) await reporter.event(trouble, signal);
  if (planned !== undefined && !saysSo(record, planned)) {
    await reporter.vtep(planned.vtep, signal);
  }
  if (isUp && record.networkUnavailable) await reporter.networkIsUp(signal);
}

/** Whether the Node's annotations say where its tunnels end; where there are none, nothing. */
function saysSo(
  { name, vtep, vtepMac: mac }: NodeRecord,
  planned: ClusterNode,
): boolean {
  const wanted = planned.vtep === undefined ? undefined : vtepMac(name);
  return vtep === planned.vtep && mac === wanted;
}

/** So long the API server may take; the log has the message in any case. */
const patience_ms = 10_000;

/**
 * Tells that the agent cannot begin with the configuration that it is given.
 *
 * @returns why that could not be told
 */
export async function tellMisconfigured(
  reporter: Pick<NodeReporter, "event">,
  { message }: Error,
): Promise<string | undefined> {
  const reason = "BadConfiguration";
  try {
    await reporter.event({ reason, message }, AbortSignal.timeout(patience_ms));
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return error.message;
  }
}
