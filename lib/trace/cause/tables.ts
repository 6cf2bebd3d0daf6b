/** Tables of the kernel that are full, as what a trace's packets are lost by. Pure. */
import type { Cause, CauseKind } from "../../diagnosis/cause.ts";
import { packetTables } from "../../diagnosis/kernel_tables/full_tables.ts";
import type { TraceFindings } from "../findings.ts";

/** What is said of packets that went nowhere, and not of what is set on a machine. */
const seenOnly: readonly CauseKind[] = ["neighbour", "receiver", "unknown"];

/**
 * The cause, or the table that is full where the cause rests on the packets'
 * end alone: where nobody answers ARP, the table may have had no room for an answer.
 */
export function orFullTable(
  cause: Cause | undefined,
  { facts, from, to, cluster, followed: { answered } }: TraceFindings,
): Cause | undefined {
  const isOpen = cause === undefined
    ? !answered
    : seenOnly.includes(cause.kind);
  if (!isOpen) return cause;
  const ends = [from, to].flatMap(({ machine }) => machine ?? []);
  const [found] = packetTables(facts, ends, cluster);
  if (found === undefined) return cause;
  const isFree = cause === undefined || cause.kind === "unknown";
  return found.is === "full" || isFree ? found.cause : cause;
}
