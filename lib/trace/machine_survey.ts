/** What a machine has before a trace: one question, and the reading of its answer. */
import type { Family } from "../net/cidr.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { readList } from "../net/ip_json.ts";
import {
  type AnswerPart,
  groupsOf,
  linesOf,
  partOf,
  type PartsProgram,
} from "../node/parts.ts";
import type { LinkFacts, RouteFacts } from "../diagnosis/evidence.ts";
import { readCache } from "../verify/kubernetes_pods.ts";
import { folder, nodePort } from "../verify/namespace_pods.ts";
import {
  type AddResult,
  parseAddResult,
  RuntimeError,
} from "../cni/runtime.ts";
import {
  type Counters,
  countersProgram,
  readCounters,
} from "./kernel_counters.ts";

/** A link as `ip -j addr show` has it, with what a trace needs beside a diagnosis. */
export interface SurveyedLink extends LinkFacts {
  readonly ifindex: number;
  readonly mtu: number;
  /** "ether", or what else is below it: "none" of a tunnel, … */
  readonly link_type?: string;
  /** Its link-layer address. */
  readonly address: string;
  /** The other end of a veth: its number there. */
  readonly link_index?: number;
  /** The network namespace that the other end is in. */
  readonly link_netnsid?: number;
}

/** A pod that a trace begins or ends at. */
export interface Pod {
  readonly name: string;
  /** The path of its network namespace. */
  readonly sandbox: string;
  readonly links: readonly SurveyedLink[];
  readonly routes: readonly RouteFacts[];
  /** What its kernel's namespace has counted before the packets are sent. */
  readonly counters: Counters;
  /** Whether it has a web server on port 80. */
  readonly serving: boolean;
  /** What ADD gave it, where stage 09 started it. */
  readonly result?: AddResult;
}

/** A machine as a trace finds it. */
export interface SurveyedMachine {
  readonly name: string;
  readonly links: readonly SurveyedLink[];
  /** Its address on the segment that joins the machines, and the link that has it. */
  readonly segmentAddress?: string;
  readonly segmentLink?: SurveyedLink;
  readonly routes: readonly RouteFacts[];
  /** Those of its pods that were asked for. */
  readonly pods: readonly Pod[];
  /** The names of its pods: of Kubernetes, and of network namespaces. */
  readonly names: readonly string[];
  /** The names of network namespaces by the number that links have them by. */
  readonly namespaceNames: ReadonlyMap<number, string>;
  /** Whether stage 09's server answers here. */
  readonly serving: boolean;
  /** What its kernel has counted before the packets are sent. */
  readonly counters: Counters;
  /** Those of the programs that a trace needs which are there. */
  readonly programs: readonly string[];
}

/** Which pods to look into: by name, or by an address that one of them has. */
interface PodSelector {
  readonly family: Family;
  readonly pods: readonly string[];
  readonly addresses: readonly string[];
}

/** What a trace needs on each machine, by Debian's package. */
export const programs = {
  nft: "nftables",
  busybox: "busybox-static",
  ping: "iputils-ping",
} as const;

/**
 * The question that readMachine() reads the answer to. It changes nothing.
 *
 * @param machine its name
 */
export function machineSurvey(
  machine: string,
  { family, pods, addresses }: PodSelector,
): PartsProgram {
  return {
    name: "survey",
    program: shellProgram("machine_survey.sh", import.meta.url),
    args: [
      ...[
        family,
        pods.join(" "),
        addresses.join(" "),
        nodePort,
        folder,
        machine,
        countersProgram,
      ],
      ...Object.keys(programs),
    ],
  };
}

/**
 * Reads a machine's answer.
 *
 * @param segmentAddress the machine's address on the segment that joins the machines
 */
export function readMachine(
  name: string,
  segmentAddress: string | undefined,
  parts: readonly AnswerPart[],
): SurveyedMachine {
  const text = (part: string) => partOf(parts, part) ?? "";
  const links = readList<SurveyedLink>(text("links"));
  const segmentLink = links.find(({ addr_info }) =>
    addr_info.some(({ local }) => local === segmentAddress)
  );
  return {
    name,
    links,
    ...(segmentAddress === undefined ? {} : { segmentAddress }),
    ...(segmentLink === undefined ? {} : { segmentLink }),
    routes: readList<RouteFacts>(text("routes")),
    pods: groupsOf(parts, "pod").map(readPod),
    names: [...new Set(linesOf(parts, "names"))],
    namespaceNames: new Map(
      [...text("ids").matchAll(/^nsid (\d+) .*netns name: (.*)\)$/gm)]
        .map(([, id, name = ""]) => [Number(id), name]),
    ),
    serving: text("serving").trim() !== "",
    counters: readCounters(text("counters")),
    programs: linesOf(parts, "programs")
      .map((path) => path.slice(path.lastIndexOf("/") + 1)),
  };
}

function readPod(parts: readonly AnswerPart[]): Pod {
  const text = (part: string) => partOf(parts, part) ?? "";
  const name = text("pod");
  const sandbox = text("pod.sandbox");
  const result = readResult(text("pod.result"), name) ??
    [...readCache(text("pod.cached")).values()]
      .find((cached) => cached.sandbox === sandbox)?.result;
  return {
    name,
    sandbox,
    links: readList<SurveyedLink>(text("pod.links")),
    routes: readList<RouteFacts>(text("pod.routes")),
    counters: readCounters(text("pod.counters")),
    serving: text("pod.serving").trim() !== "",
    ...(result === undefined ? {} : { result }),
  };
}

function readResult(text: string, pod: string): AddResult | undefined {
  if (text.trim() === "") return undefined;
  try {
    return parseAddResult(text, `${folder}/${pod}.json`);
  } catch (error) {
    if (error instanceof RuntimeError) return undefined;
    throw error;
  }
}
