/** What the page asks for, read with care: nothing of it becomes a flag. Pure. */
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import { nodeNames } from "../shell/enter.ts";
import { stageNames } from "../stage/stage.ts";
import { RefusedError } from "./server.ts";

/** A script to run, and how its line is shown. */
interface ScriptOrder {
  readonly title: string;
  readonly script: string;
  readonly args: readonly string[];
}

const ways: Readonly<Record<string, readonly string[]>> = {
  "run": [],
  "undo": ["--undo"],
  "dry-run": ["--dry-run"],
  "step": ["--step"],
};

/**
 * The script that a button, or a terminal, is to run.
 *
 * @param given `stage`: a stage, "up", "down" or "tour"; `how`; `node`, or none for all
 * @throws {RefusedError}
 */
export function readOrder(given: unknown, cluster: Cluster): ScriptOrder {
  const stage = textIn(given, "stage");
  const how = textIn(given, "how") ?? "run";
  const node = textIn(given, "node");
  const isStage = stageNames.some((name) => name === stage);
  const isOther = stage === "up" || stage === "down" || stage === "tour";
  const flags = Object.hasOwn(ways, how) ? ways[how] : undefined;
  if (stage === undefined || !(isStage || isOther) || flags === undefined) {
    throw new RefusedError(
      400,
      `expected a stage, and run, undo, dry-run or step`,
    );
  }
  if (isOther && (flags.length > 0 || node !== undefined)) {
    throw new RefusedError(400, `${stage} is run as it is, on all nodes`);
  }
  if (node !== undefined) checkNode(node, cluster);
  const args = [...(node === undefined ? [] : ["--node", node]), ...flags];
  const variables = args.length === 0 ? {} : { ARGS: args };
  const title = makeLine(stage, cluster, variables);
  return { title, script: stage, args };
}

/**
 * The script that traces a packet.
 *
 * @throws {RefusedError}
 */
export function readTrace(given: unknown, cluster: Cluster): ScriptOrder {
  const [from, to] = ["from", "to"].map((name) => {
    const end = textIn(given, name);
    if (end === undefined || !/^[\w.:]/.test(end)) {
      throw new RefusedError(400, `expected two ends, from and to`);
    }
    return end;
  }) as [string, string];
  const family = textIn(given, "family");
  if (family !== undefined && !/^[46]$/.test(family)) {
    throw new RefusedError(400, "expected the family 4 or 6");
  }
  const more = family === undefined ? [] : ["--family", family];
  const ends = { FROM: from, TO: to };
  return {
    title: makeLine(
      "trace",
      cluster,
      more.length === 0 ? ends : { ...ends, ARGS: more },
    ),
    script: "trace",
    args: ["--from", from, "--to", to, ...more, "-o", "json"],
  };
}

/** @throws {RefusedError} where there is no such machine */
export function checkNode(name: string, cluster: Cluster): void {
  if (nodeNames(cluster).includes(name)) return;
  throw new RefusedError(404, `no node ${name} here`);
}

/** A text of what was sent; undefined where there is none. */
export function textIn(given: unknown, name: string): string | undefined {
  if (given instanceof URLSearchParams) {
    const value = given.get(name);
    return value === null || value === "" ? undefined : value;
  }
  if (typeof given !== "object" || given === null) return undefined;
  const value: unknown = Object.getOwnPropertyDescriptor(given, name)?.value;
  return typeof value === "string" && value !== "" ? value : undefined;
}
