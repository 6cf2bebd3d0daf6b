/** What a page beyond the cluster says of the nodes. */
import { httpCalls, readCalls, timeout_ms } from "./http_calls.ts";
import { outside } from "./matrix.ts";
import { type Situation, workerSites } from "./situation.ts";
import { type CallOptions, type Known, nodeUrl } from "./try_paths.ts";

/**
 * As whom a page beyond sees the nodes themselves, by node: whatever further
 * NAT there is, a pod that leaves as its node is seen the same.
 */
export async function seenBeyond(
  situation: Situation,
  known: Known,
  { limit_ms = timeout_ms, ...options }: CallOptions,
): Promise<ReadonlyMap<string, string>> {
  if (situation.outside.is !== "page") return new Map();
  const page = nodeUrl(outside, situation.cluster, known);
  const seen = await Promise.all(
    workerSites(situation).map(async ({ node: { name }, runner }) => {
      const outcome = await runner.run(httpCalls([page], limit_ms), options);
      const observed = readCalls(outcome, [page]).get(page);
      return observed?.answer === "yes"
        ? [[name, observed.source] as const]
        : [];
    }),
  );
  return new Map(seen.flat());
}
