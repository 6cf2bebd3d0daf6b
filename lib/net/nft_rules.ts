/** What the rules of a chain of nftables say to a packet, and what a ruleset has. Pure. */
import { enoughHops } from "./iptables.ts";
import { asRecord, type Frame, type NftExpression } from "./nft_fields.ts";
import { type ElementsOf, nftMeets, nftVerdict } from "./nft_match.ts";

/** A rule as libnftables-json(5) has it. */
interface NftRule {
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  readonly handle: number;
  readonly expr?: readonly NftExpression[];
}

/** A chain as libnftables-json(5) has it; a base chain hangs at a hook. */
export interface NftChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

/** A set or a map. */
interface NftSet {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly elem?: readonly unknown[];
}

interface NftTable {
  readonly family: string;
  readonly name: string;
  readonly flags?: unknown;
}

/** What a chain says: nothing where its policy decides. */
export interface NftVerdict {
  /** "expire": the packet goes on, and ends at the next machines by its TTL. */
  readonly is: "drop" | "accept" | "expire";
  readonly rule: NftRule;
  /** Some match was not understood here. */
  readonly maybe: boolean;
}

/** What is in nftables. */
export interface NftRuleset {
  /** Those of tables that do something. */
  readonly chains: readonly NftChain[];
  /** What the rules of a chain say, and of those that they lead to. */
  readonly verdict: (chain: NftChain, frame: Frame) => NftVerdict | undefined;
}

/** What `nft -j list ruleset` printed, or `nft -j list table`s did; nothing of what is not that. */
export function readRuleset(text: string): NftRuleset {
  const objects = readObjects(text);
  const all = objects.flatMap(({ rule }) => rule ?? []);
  const sets = objects.flatMap(({ set, map }) => set ?? map ?? []);
  const dormant = new Set(
    objects.flatMap(({ table }) =>
      table && isDormant(table) ? [`${table.family} ${table.name}`] : []
    ),
  );
  return {
    chains: objects.flatMap(({ chain }) => chain ?? [])
      .filter(({ family, table }) => !dormant.has(`${family} ${table}`)),
    verdict({ family, table, name }, frame) {
      const own = (one: { readonly family: string; readonly table: string }) =>
        one.family === family && one.table === table;
      const rules = all.filter(own);
      const { ends, mayEnd } = walk(name, frame, {
        rulesOf: (wanted) => rules.filter(({ chain }) => chain === wanted),
        elementsOf: (wanted) =>
          sets.find((set) => own(set) && set.name === wanted)?.elem ?? [],
      }, 0);
      return ends?.is === "drop" ? ends : mayEnd ?? ends;
    },
  };
}

/** Flags of tables that leave their chains on (nft(8), TABLES). */
const harmless = ["owner", "persist"];

/**
 * Whether a table's chains are off. In the place of the flag nft 1.0.6 prints the
 * table's name.
 */
export function isDormant({ flags }: Pick<NftTable, "flags">): boolean {
  return [flags ?? []].flat().some((flag) => !harmless.includes(String(flag)));
}

function readObjects(
  text: string,
): readonly {
  readonly table?: NftTable;
  readonly chain?: NftChain;
  readonly rule?: NftRule;
  readonly set?: NftSet;
  readonly map?: NftSet;
}[] {
  try {
    return text.split(/\n(?=\{)/).filter((one) => one.trim() !== "")
      .flatMap((one) => {
        const { nftables } = JSON.parse(one);
        return Array.isArray(nftables) ? nftables : [];
      });
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
}

/** Chains cannot jump in circles; this bounds a text that nobody checked. */
const deepest = 16;

interface Table {
  readonly rulesOf: (chain: string) => readonly NftRule[];
  readonly elementsOf: ElementsOf;
}

/** Where the way through a chain, or through a rule, leads. */
interface Way {
  /** Where it is sure to end. */
  readonly ends?: NftVerdict;
  /** What may end it before that. */
  readonly mayEnd?: NftVerdict | undefined;
  /** The end of the chain that a goto leads to is the end of this one (nft(8)). */
  readonly isLast?: boolean;
}

function walk(chain: string, frame: Frame, table: Table, depth: number): Way {
  let mayEnd: NftVerdict | undefined;
  for (const rule of table.rulesOf(chain)) {
    const way = wayThrough(rule, frame, table, depth);
    mayEnd ??= way?.mayEnd;
    if (way?.ends !== undefined || way?.isLast) {
      return { ...way, mayEnd, isLast: false };
    }
  }
  return { mayEnd };
}

/** Nothing where the rule is not about the packet, or only looks at it. */
function wayThrough(
  rule: NftRule,
  frame: Frame,
  table: Table,
  depth: number,
): Way | undefined {
  const { expr = [] } = rule;
  const { elementsOf } = table;
  const answers = expr.map((part) => nftMeets(part, frame, elementsOf));
  if (answers.includes(false)) return undefined;
  const maybe = answers.includes(undefined);
  const verdicts = expr.map((part) => nftVerdict(part, frame, elementsOf));
  const has = (name: string) => verdicts.some((part) => name in part);
  const is = verdicts.some(loses)
    ? "drop"
    : expr.some(endsByTTL)
    ? "expire"
    : has("accept")
    ? "accept"
    : undefined;
  if (is !== undefined) return sureOrNot({ is, rule, maybe });
  if (has("return")) return { isLast: !maybe };
  const to = verdicts.map(jumpOf).find((chain) => chain !== undefined);
  if (to === undefined || depth >= deepest) return undefined;
  const { ends, mayEnd } = walk(to, frame, table, depth + 1);
  const way = ends === undefined
    ? {}
    : sureOrNot({ ...ends, maybe: ends.maybe || maybe });
  return {
    ...way,
    ...(mayEnd === undefined ? {} : { mayEnd }),
    isLast: !maybe && has("goto"),
  };
}

/** An accept that may not match must not hide a drop behind it. */
function sureOrNot(verdict: NftVerdict): Way {
  if (!verdict.maybe) return { ends: verdict };
  return verdict.is === "accept" ? {} : { mayEnd: verdict };
}

/** Whether a packet that comes to this part is lost; a queue's program may not be there. */
function loses(part: NftExpression): boolean {
  const { queue, xt } = part;
  const { type, name } = asRecord(xt);
  return "drop" in part || "reject" in part ||
    (queue !== undefined &&
      ![asRecord(queue).flags].flat().includes("bypass")) ||
    (type === "target" && name === "REJECT");
}

/** Whether a rule leaves a packet fewer hops than a cluster has. */
function endsByTTL({ mangle }: NftExpression): boolean {
  const { key, value } = asRecord(mangle);
  const { field } = asRecord(asRecord(key).payload);
  return (field === "ttl" || field === "hoplimit") &&
    typeof value === "number" && value < enoughHops;
}

function jumpOf({ jump, goto }: NftExpression): string | undefined {
  const { target } = asRecord(jump ?? goto);
  return typeof target === "string" ? target : undefined;
}
