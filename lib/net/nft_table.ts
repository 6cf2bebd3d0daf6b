/**
 * Our table in nftables: what nft(8) is told of it, and how it is otherwise than
 * that. Pure.
 */
import { type Family, familyOf, formatCidr, parseCidr } from "./cidr.ts";
import { mark } from "./mark.ts";
import {
  elementText,
  type NftObject,
  plainRule,
  readObjects,
} from "./nft_json.ts";

/** The table's name, as nft(8) takes it. */
export const nftTable = ["inet", "deno_cni"] as const;

/** The set that holds the clusterCIDR of this one's family. */
export function clusterSet(cidr: string): string {
  return `cluster${familyOf(cidr)}`;
}

/** What nft(8) calls the protocol of an address or a network. */
export function nftProtocol(cidr: string): "ip" | "ip6" {
  return familyOf(cidr) === 4 ? "ip" : "ip6";
}

/** A base chain of ours, with all that is in it. */
export interface NftChainText {
  readonly name: string;
  readonly type: "filter" | "nat";
  readonly hook: "forward" | "postrouting";
  /** The priority's name, and its number (nft(8), CHAINS). */
  readonly priority: readonly [name: "filter" | "srcnat", number: number];
  readonly rules: readonly NftRuleText[];
}

/** A rule as nft(8) prints it, without its comment, and what it is for. */
interface NftRuleText {
  readonly rule: string;
  readonly why: string;
}

/**
 * What puts a chain of ours in place, and the sets that it refers to: `nft -f`
 * does all of it in one transaction, or nothing.
 */
export function nftChainText(
  chain: NftChainText,
  clusterCIDRs: readonly string[],
): string {
  const table = nftTable.join(" ");
  const { name, type, hook, priority: [priority] } = chain;
  const place = `${table} ${name}`;
  const comment = `comment "${mark}"`;
  return [
    `add table ${table} { ${comment}; }`,
    ...clusterCIDRs.flatMap((cidr) => {
      const set = `${table} ${clusterSet(cidr)}`;
      const type = familyOf(cidr) === 4 ? "ipv4_addr" : "ipv6_addr";
      return [
        `add set ${set} { type ${type}; flags interval; ${comment}; }`,
        `flush set ${set}`,
        `add element ${set} { ${plainCidr(cidr)} }`,
      ];
    }),
    "# What is there of the chain makes way for it as it has to be.",
    `add chain ${place}`,
    `delete chain ${place}`,
    `add chain ${place} { type ${type} hook ${hook} priority ${priority}; ` +
    `policy accept; ${comment}; }`,
    ...chain.rules.flatMap(({ rule, why }) => [
      `# ${why}`,
      `add rule ${place} ${rule} ${comment}`,
    ]),
  ].join("\n") + "\n";
}

/** A CIDR as nft(8) prints it. */
export function plainCidr(cidr: string): string {
  return formatCidr(parseCidr(cidr));
}

/** How our table is otherwise than it has to be. */
interface NftDifference {
  /** Something of it bears our mark, or nothing is in it. */
  readonly ours: boolean;
  /** Whether the chain is there at all. */
  readonly hasChain: boolean;
  /** A set of another kind, which cannot be changed while a rule refers to it. */
  readonly otherSet?: string;
  /** What is not as it has to be, in words. */
  readonly wrong: readonly string[];
}

/**
 * Compares our table with what has to be in it.
 *
 * @param text what `nft -j list table` printed
 * @param family where only rules of one are asked about, and others may be there
 * @returns undefined where that cannot be read
 */
export function nftDifference(
  text: string,
  chain: NftChainText,
  clusterCIDRs: readonly string[],
  family?: Family,
): NftDifference | undefined {
  const objects = readObjects(text);
  if (objects === undefined) return undefined;
  const sets = objects.flatMap(({ set }) => set ?? []);
  const rules = objects.flatMap(({ rule }) => rule ?? []);
  const chains = objects.flatMap(({ chain }) => chain ?? []);
  const found = chains.find(({ name }) => name === chain.name);
  const marked = [...sets, ...rules].some(({ comment }) => comment === mark);
  const isEmpty = sets.length + rules.length + chains.length === 0;
  const wrong: string[] = [];
  let otherSet: string | undefined;
  for (const cidr of clusterCIDRs) {
    const name = clusterSet(cidr);
    const set = sets.find((set) => set.name === name);
    const type = familyOf(cidr) === 4 ? "ipv4_addr" : "ipv6_addr";
    if (set === undefined) wrong.push(`the set ${name} is gone`);
    else if (set.type !== type || ![set.flags].flat().includes("interval")) {
      otherSet ??= name;
    } else {
      const held = (set.elem ?? []).map(elementText).join(", ");
      if (held !== plainCidr(cidr)) {
        wrong.push(
          `the set ${name} holds ${held || "nothing"}, not ${plainCidr(cidr)}`,
        );
      }
    }
  }
  if (found === undefined) wrong.push(`the chain ${chain.name} is gone`);
  else {
    wrong.push(
      ...chainDifferences(found, chain),
      ...ruleDifferences(
        rules.filter((rule) => rule.chain === chain.name && isOf(family, rule)),
        chain,
      ),
    );
  }
  return {
    ours: marked || isEmpty,
    hasChain: found !== undefined,
    ...(otherSet === undefined ? {} : { otherSet }),
    wrong,
  };
}

function chainDifferences(
  { type, hook, prio, policy }: NonNullable<NftObject["chain"]>,
  wanted: NftChainText,
): string[] {
  const { name, priority: [, number] } = wanted;
  const wrong = (what: string, is: unknown, not: string | number) =>
    is === not
      ? []
      : [`the ${what} of the chain ${name} is ${is ?? "none"}, not ${not}`];
  return [
    ...wrong("type", type, wanted.type),
    ...wrong("hook", hook, wanted.hook),
    ...wrong("priority", prio, number),
    ...wrong("policy", policy, "accept"),
  ];
}

function ruleDifferences(
  rules: readonly NonNullable<NftObject["rule"]>[],
  { name, rules: wanted }: NftChainText,
): string[] {
  const found = rules.map(({ expr = [], comment }) =>
    comment === mark ? plainRule(expr) : `${plainRule(expr)} (not marked)`
  );
  const texts = wanted.map(({ rule }) => rule);
  const lost = texts.filter((text) => !found.includes(text));
  const more = found.filter((text, at) =>
    !texts.includes(text) || found.indexOf(text) < at
  );
  if (lost.length + more.length === 0) {
    return found.join("\n") === texts.join("\n")
      ? []
      : [`the rules of the chain ${name} are in another order`];
  }
  return [
    ...lost.map((text) => `the chain ${name} lacks the rule: ${text}`),
    ...more.map((text) => `the chain ${name} has one more rule: ${text}`),
  ];
}

/** Whether a rule is of a family, or of none, or of any where none is asked about. */
function isOf(
  family: Family | undefined,
  { expr = [] }: NonNullable<NftObject["rule"]>,
): boolean {
  const [protocol] = plainRule(expr).split(" ");
  return family === undefined || protocol !== (family === 4 ? "ip6" : "ip");
}
