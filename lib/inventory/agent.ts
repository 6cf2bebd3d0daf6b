/** The agent of a node, as the node's inventory tells of it. */

/** What it says of itself, in the file that lib/agent/status_file.ts writes. */
export interface HostAgent {
  readonly version: string;
  /** Seconds since it wrote that. */
  readonly age_s: number;
  readonly outcome: "clean" | "changed" | "failed" | "none yet";
  /** How many things it found missing, and made again. */
  readonly repaired: number;
  /** What is wrong, by its last run. */
  readonly problems: readonly string[];
  /** Whether it follows an API server; else it goes by the nodes of a cluster file. */
  readonly follows: boolean;
  /** Why the API server does not answer; undefined where it does. */
  readonly unreachable?: string;
}

/** It writes after each run, and there is one every 5 minutes or so. */
const silentAfter_s = 900;

/** Whether an agent that should have written since has not: it is dead, or stuck. */
export function isSilent({ age_s }: HostAgent): boolean {
  return age_s > silentAfter_s;
}

/** Reads the lines of inventory.sh: an age, and the file; undefined where there is no agent. */
export function readAgent(
  [age = "", ...lines]: readonly string[],
): HostAgent | undefined {
  let value: Record<string, unknown>;
  try {
    value = object(JSON.parse(lines.join("\n")));
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
  const { version, lastRun, repaired, problems, api } = value;
  const { outcome } = object(lastRun);
  const { server, isReachable, why } = object(api);
  const follows = server !== "";
  return {
    version: String(version),
    age_s: Number(age) || 0,
    outcome: outcomes.find((one) => one === outcome) ?? "none yet",
    repaired: Number(repaired) || 0,
    problems: Array.isArray(problems) ? problems.map(String) : [],
    follows,
    ...(isReachable === true || !follows
      ? {}
      : { unreachable: String(why ?? "it was not reached yet") }),
  };
}

const outcomes = ["clean", "changed", "failed"] as const;

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : {};
}
