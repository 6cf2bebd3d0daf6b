/** Tables of the kernel that are full, as what a trace's packets are lost by. Pure. */
import type { Cause } from "../../diagnosis/cause.ts";
import type { NodeFacts } from "../../diagnosis/evidence.ts";
import { packetTables } from "../../diagnosis/kernel_tables/full_tables.ts";
import type { TraceFindings } from "../findings.ts";

/** What orFullTable() reads of a trace's findings. */
interface TableFindings extends Pick<TraceFindings, "from" | "to" | "cluster"> {
  readonly facts: ReadonlyMap<string, Pick<NodeFacts, "tables">>;
  readonly followed: Pick<
    TraceFindings["followed"],
    "answered" | "said" | "there" | "back"
  >;
}

/**
 * The cause, or the table that is full where the cause rests on an answer alone that
 * did not come: where nobody answers ARP, the table may have had no room for it.
 */
export function orFullTable(
  cause: Cause | undefined,
  findings: TableFindings,
): Cause | undefined {
  const { facts, from, to, cluster, followed } = findings;
  const isFree = cause === undefined
    ? !followed.answered
    : cause.kind === "unknown";
  const isSilence = cause?.kind === "receiver" && wasSilent(followed);
  if (!isFree && !isSilence) return cause;
  const ends = [from, to].flatMap(({ machine }) => machine ?? []);
  const [found] = packetTables(facts, ends, cluster);
  if (found === undefined) return cause;
  return found.is === "full" || isFree ? found.cause : cause;
}

/** Whether packets were lost, and nothing came back, not even a refusal. */
function wasSilent({ said, there, back }: TableFindings["followed"]): boolean {
  return (there.stop ?? back.stop) !== undefined &&
    !/connection refused/i.test(said);
}
