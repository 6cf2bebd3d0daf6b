/** Faults of the machine or the pod that a packet is at. Pure. */
import type { NodeFacts } from "../../diagnosis/evidence.ts";
import type { Cause } from "../../diagnosis/cause.ts";
import { podFault } from "../../diagnosis/pod_faults.ts";
import { settingFault } from "../../diagnosis/setting_faults.ts";
import type { Place } from "../endpoints.ts";
import type { TraceFindings } from "../findings.ts";

/** What the machine of a place says of itself. */
export function factsAt(
  { facts }: TraceFindings,
  { machine }: Place,
): NodeFacts | undefined {
  return facts.get(machine);
}

/** One of these settings of interfaces that loses a node's packets. */
export function settingAt(
  facts: NodeFacts,
  { cluster }: TraceFindings,
  ...names: readonly string[]
): Cause | undefined {
  return settingFault(facts, cluster, ({ setting }) => names.includes(setting));
}

/** Is the pod of a place plugged in? */
export function plugged(
  place: Place | undefined,
  findings: TraceFindings,
  needsRoute: boolean,
): Cause | undefined {
  if (place?.pod === undefined) return undefined;
  const facts = factsAt(findings, place);
  return facts === undefined
    ? undefined
    : podFault(facts, place.pod.name, findings.cluster, needsRoute);
}
