/**
 * Delay, loss and a limit of bandwidth for what leaves by a link: by netem
 * (tc-netem(8)) where the kernel has it; else loss by a rule of nftables, a
 * limit by tbf (tc-tbf(8)), and no delay. Pure.
 */
import { cmd, type Command } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { AnswerPart, PartsProgram } from "../node/parts.ts";

/** What is to be done to what leaves by a link; one of them at least. */
export interface Impairment {
  readonly delay_ms?: number;
  readonly loss_percent?: number;
  readonly rate_kbit?: number;
}

/** The link that a node has to the others, and a pod to its node. */
export const impairedLink = "eth0";

/** A queueing discipline of ours bears this handle, and a table of nftables this name. */
const handle = "244:";
const table = "impair";

/** How much may leave at once, and how long a packet may wait for the rest. */
const queue = ["burst", "16kb", "latency", "400ms"];

/** Whether this kernel has netem; it changes nothing that stays. */
export function netemQuestion(): Command {
  // In a namespace of its own, where lo is all there is.
  return cmd`unshare --net tc qdisc add dev lo root netem`;
}

/**
 * What sets an impairment; what was set before is to be cleared first.
 *
 * @returns none where this needs netem and there is none
 */
export function impairCommands(
  { delay_ms, loss_percent, rate_kbit }: Impairment,
  hasNetem: boolean,
): readonly Command[] | undefined {
  if (hasNetem) {
    return [
      cmd`tc qdisc replace dev ${impairedLink} root handle ${handle} netem ${[
        ...(delay_ms === undefined ? [] : ["delay", `${delay_ms}ms`]),
        ...(loss_percent === undefined ? [] : ["loss", `${loss_percent}%`]),
        ...(rate_kbit === undefined ? [] : ["rate", `${rate_kbit}kbit`]),
      ]}`,
    ];
  }
  if (delay_ms !== undefined) return undefined;
  return [
    ...(rate_kbit === undefined ? [] : [
      cmd`tc qdisc replace dev ${impairedLink} root handle ${handle} tbf ${[
        "rate",
        `${rate_kbit}kbit`,
        ...queue,
      ]}`,
    ]),
    ...(loss_percent === undefined ? [] : [
      cmd`nft add table inet ${table}`,
      cmd`nft add chain inet ${table} loss ${"{ type filter hook postrouting priority 300; }"}`,
      cmd`nft add rule inet ${table} loss oifname ${impairedLink} numgen random mod 10000 ${[
        "<=",
        Math.round(loss_percent * 100) - 1,
      ]} drop`,
    ]),
  ];
}

/** What clears an impairment; with none there, it does nothing. */
export function clearCommand(): Command {
  return cmd`sh -c ${
    shellProgram("clear.sh", import.meta.url)
  } clear ${impairedLink} ${handle} ${table}`;
}

/** What impairs a link now. */
export interface FoundImpairment {
  /** The pod whose link it is; absent for the node's own. */
  readonly pod?: string;
  /** In the words of tc and nft. */
  readonly says: string;
}

/** The question to a node that readImpairments() reads the answer to. */
export function impairmentProgram(pods: readonly string[]): PartsProgram {
  return {
    name: "impaired",
    program: shellProgram("impaired.sh", import.meta.url),
    args: [impairedLink, table, ...pods],
  };
}

/** What impairs the node's link and its pods', as far as it is ours. */
export function readImpairments(
  parts: readonly AnswerPart[],
): readonly FoundImpairment[] {
  let pod = "";
  return parts.flatMap(({ name, text }): FoundImpairment[] => {
    const [, place] = /^place (.*)$/.exec(name) ?? [];
    if (place !== undefined) pod = place;
    const says = name === "qdiscs"
      ? qdiscWords(text)
      : name === "nft"
      ? lossWords(text)
      : undefined;
    return says === undefined ? [] : [{ ...(pod === "" ? {} : { pod }), says }];
  });
}

function qdiscWords(printed: string): string | undefined {
  const [line] = printed.split("\n")
    .filter((line) => line.includes(` ${handle} root`));
  const [, kind = "", options = ""] =
    /^qdisc (\S+) .*refcnt \d+ (.*)$/.exec(line?.trim() ?? "") ?? [];
  return line === undefined ? undefined : `${kind} ${options}`.trim();
}

function lossWords(printed: string): string | undefined {
  const [, share] = /numgen random mod 10000 <= (\d+) drop/.exec(printed) ?? [];
  return share === undefined
    ? undefined
    : `nftables loss ${(Number(share) + 1) / 100}%`;
}
