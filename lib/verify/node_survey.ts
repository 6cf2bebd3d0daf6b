/** What a node has for stage 09: one question, and the reading of its answer. */
import type { Command, Outcome } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import {
  type AnswerPart,
  linesOf,
  partOf,
  partsCommand,
  readParts,
} from "../node/parts.ts";
import {
  containersQuestion,
  readRuntime,
  type Runtime,
} from "../cni/containerd.ts";
import { type InventoryLink, readLinks } from "../net/ip_json.ts";
import {
  folder,
  type NodeList,
  nodePort,
  paths,
  type PodName,
  type PodState,
  server,
} from "./namespace_pods.ts";
import {
  configFolder,
  parseAddResult,
  parseList,
  pluginFolder,
  unlessWrong,
} from "../cni/runtime.ts";

/** What a node has for stage 09. */
export interface Survey {
  readonly links: readonly InventoryLink[];
  /** Those of its links, both families, without the ones that no other machine can see. */
  readonly addresses: readonly string[];
  /** Whether its kernel shows bridged frames to iptables if told so. */
  readonly bridged: boolean;
  readonly busybox: boolean;
  /** The programs that a runtime would find. */
  readonly plugins: readonly string[];
  /** The configuration that a runtime would use: the first by name. */
  readonly list: NodeList | undefined;
  /** Whether something listens on the nodes' port. */
  readonly serving: boolean;
  /** What stage 02 started to run containers, and the containers. */
  readonly runtime?: Runtime;
  readonly pods: Readonly<Record<PodName, PodState>>;
}

/**
 * The question that readNodeSurvey() reads the answer to. It changes nothing.
 *
 * @param boundary a text that no file of the node holds
 */
export function nodeSurveyCommand(boundary: string): Command {
  return partsCommand({
    name: "survey",
    program: shellProgram("node_survey.sh", import.meta.url),
    args: [nodePort, folder, configFolder, pluginFolder, containersQuestion],
  }, boundary);
}

/**
 * Reads what nodeSurveyCommand() printed.
 *
 * @returns undefined when it did not come to its end
 */
export function readNodeSurvey(
  outcome: Outcome,
  boundary: string,
): Survey | undefined {
  const parts = readParts(outcome, boundary);
  if (parts === undefined) return undefined;
  const path = partOf(parts, "list.path")?.replace(/\n$/, "");
  const text = partOf(parts, "list");
  const list = path === undefined || text === undefined
    ? undefined
    : { path, text };
  const some = (name: string) => (partOf(parts, name) ?? "").trim() !== "";
  const runtime = readRuntime(partOf(parts, "runtime") ?? "");
  const links = readLinks(partOf(parts, "links") ?? "");
  return {
    links,
    addresses: addressesIn(links),
    bridged: some("bridged"),
    busybox: some("busybox"),
    plugins: linesOf(parts, "plugins"),
    list,
    serving: some("serving"),
    ...(runtime === undefined ? {} : { runtime }),
    pods: {
      shell: podState("shell", parts, list, runtime),
      web: podState("web", parts, list, runtime),
    },
  };
}

function addressesIn(links: readonly InventoryLink[]): readonly string[] {
  return links.flatMap(({ addresses }) => addresses)
    .map(({ address }) => address)
    .filter((address) => !/^(127\.|::1$)/.test(address));
}

function podState(
  pod: PodName,
  parts: readonly AnswerPart[],
  nodeList: NodeList | undefined,
  runtime: Runtime | undefined,
): PodState {
  const type = partOf(parts, `${pod}.sandbox`)?.trim();
  const listText = partOf(parts, `${pod}.list`);
  const resultText = partOf(parts, `${pod}.result`);
  const sandbox = type !== undefined;
  if (listText === undefined && !sandbox) return { is: "none" };
  if (listText === undefined) return { is: "foreign" };
  const list = unlessWrong(() => parseList(listText, paths.list(pod)));
  const result = resultText === undefined
    ? undefined
    : unlessWrong(() => parseAddResult(resultText, paths.result(pod)));
  const ruin = (why: string): PodState => ({
    is: "ruin",
    why,
    sandbox,
    ...(list === undefined ? {} : { list }),
    ...(result === undefined ? {} : { result }),
  });
  if (type !== "nsfs") return ruin("its network namespace was gone");
  if (list === undefined || result === undefined) {
    return ruin("its start had been cut off");
  }
  if (nodeList !== undefined && nodeList.text.trim() !== listText.trim()) {
    return ruin(`${nodeList.path} was another when it was started`);
  }
  if (runtime?.running?.includes(pod) === false) {
    return ruin("no container of it was running");
  }
  const serving = pod !== server ||
    (partOf(parts, `${pod}.serving`) ?? "").trim() !== "";
  return { is: "running", list, result, serving };
}
