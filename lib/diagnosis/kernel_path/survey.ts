/**
 * What each network namespace has on its packets' path beside what the stages
 * put there: one question, and the reading of its answer.
 */
import type { Command, Outcome } from "../../exec/command.ts";
import { shellProgram } from "../../exec/shell_program.ts";
import { readList } from "../../net/ip_json.ts";
import { partsCommand, readParts } from "../../node/parts.ts";

/** A network namespace: a node's own, or a pod's. */
export interface Space {
  readonly node: string;
  readonly pod?: {
    readonly name: string;
    /** The path of its network namespace. */
    readonly sandbox: string;
  };
}

/** A link as `ip -d -j addr` has it, as far as packets may end there. */
export interface PathLink {
  readonly ifname: string;
  readonly ifindex: number;
  /** The other end of a veth: its number there. */
  readonly link_index?: number;
  readonly mtu: number;
  readonly flags: readonly string[];
  readonly link_type?: string;
  readonly address?: string;
  readonly master?: string;
  readonly xdp?: {
    /** 1 by the driver, 2 generic, 3 by the device (linux/if_link.h). */
    readonly mode?: number;
    readonly prog?: { readonly name?: string };
  };
  readonly linkinfo?: {
    readonly info_data?: { readonly vlan_filtering?: number };
    readonly info_slave_kind?: string;
    readonly info_slave_data?: {
      readonly state?: string;
      readonly hairpin?: boolean;
      readonly learning?: boolean;
      readonly flood?: boolean;
      readonly bcast_flood?: boolean;
      readonly mcast_flood?: boolean;
      readonly isolated?: boolean;
      readonly locked?: boolean;
    };
  };
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope?: string;
  }[];
}

/** What a network namespace answered. */
export interface KernelSurvey {
  readonly space: Space;
  readonly links: readonly PathLink[];
  /** The text of a part, by its name. */
  readonly parts: ReadonlyMap<string, string>;
}

/** A text that no part of an answer holds. */
const boundary = crypto.randomUUID();

/** The question that readSurvey() reads the answer to. It changes nothing. */
export const surveyQuestion: Command = {
  ...partsCommand({
    name: "survey",
    program: shellProgram("survey.sh", import.meta.url),
    args: [],
  }, boundary),
  label: "sh -c … survey",
};

/** The same question, to a pod from its node. */
export function surveyOfPod(sandbox: string): Command {
  return {
    ...surveyQuestion,
    argv: ["nsenter", `--net=${sandbox}`, ...surveyQuestion.argv],
  };
}

/**
 * Reads what surveyQuestion brought.
 *
 * @returns undefined when it did not come to its end
 */
export function readSurvey(
  space: Space,
  outcome: Pick<Outcome, "stdout">,
): KernelSurvey | undefined {
  const parts = readParts(outcome, boundary);
  if (parts === undefined) return undefined;
  const texts = new Map<string, string>();
  for (const { name, text } of parts) {
    const lists = name.startsWith("lists ") ? listsOf(name, text) : [];
    if (lists === undefined) return undefined;
    if (lists.length === 0) texts.set(name, text);
    // Of each family a line.
    for (const [name, line] of lists) {
      const before = texts.get(name);
      texts.set(name, before === undefined ? line : `${before}\n${line}`);
    }
  }
  return {
    space,
    links: readList<PathLink>(texts.get("links") ?? ""),
    parts: texts,
  };
}

/** What one process of ip(8) answered: lists of these names, with a link between two of them. */
function listsOf(
  name: string,
  text: string,
): readonly (readonly [name: string, line: string])[] | undefined {
  const [, ...names] = name.split(" ");
  const lists = [""];
  for (const line of text.split("\n")) {
    // Of all these, a link alone begins so.
    if (line.startsWith('[{"ifindex":')) lists.push("");
    else lists[lists.length - 1] += line;
  }
  return lists.length !== names.length
    ? undefined
    : names.map((name, at) => [name, lists[at] ?? ""]);
}

/** The elements of a part that consists of lists, one a line. */
export function listsIn<Element>(
  { parts }: KernelSurvey,
  name: string,
): readonly Element[] {
  return (parts.get(name) ?? "").split("\n")
    .flatMap((line) => readList<Element>(line));
}
