/** Tables of nftables as libnftables-json(5) has them, in what our own is made of. Pure. */
import { mark } from "./mark.ts";
import { isDormant } from "./nft_rules.ts";

/** A part of a rule: a match, a verdict, … */
type Expression = Readonly<Record<string, unknown>>;

/** What libnftables-json(5) has of a table, in what is asked here. */
export interface NftObject {
  readonly table?: { readonly flags?: unknown };
  readonly set?: {
    readonly name: string;
    readonly type?: unknown;
    readonly flags?: unknown;
    readonly comment?: string;
    readonly elem?: readonly unknown[];
  };
  readonly chain?: {
    readonly name: string;
    readonly type?: string;
    readonly hook?: string;
    readonly prio?: number;
    readonly policy?: string;
  };
  readonly rule?: {
    readonly chain: string;
    readonly comment?: string;
    readonly expr?: readonly Expression[];
  };
}

/** A table, as far as another reading of it goes. */
interface NftTableText {
  readonly rules: readonly {
    readonly chain: string;
    readonly comment?: string;
    /** Its matches, its verdict, …, as nft(8) prints them. */
    readonly parts: readonly string[];
  }[];
  readonly elementsOf: (set: string) => readonly string[];
}

/** What `nft -j list table` printed, or of a chain; nothing where it is not there, or off. */
export function readNftTable(text: string): NftTableText {
  const objects = isOff(text) ? [] : readObjects(text) ?? [];
  const sets = objects.flatMap(({ set }) => set ?? []);
  return {
    rules: objects.flatMap(({ rule }) => rule ?? []).map(
      ({ chain, comment, expr = [] }) => ({
        chain,
        ...(comment === undefined ? {} : { comment }),
        parts: expr.map(partText),
      }),
    ),
    elementsOf: (wanted) =>
      (sets.find(({ name }) => name === wanted)?.elem ?? []).map(elementText),
  };
}

/** Whether our table does nothing, with what is in it. */
export function isOwnTableOff(text: string): boolean {
  return isOff(text) && text.includes(`"comment": "${mark}"`);
}

function isOff(text: string): boolean {
  return readObjects(text)?.some(({ table }) => table && isDormant(table)) ??
    false;
}

export function readObjects(text: string): readonly NftObject[] | undefined {
  try {
    const { nftables } = JSON.parse(text);
    return Array.isArray(nftables) ? nftables : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** A rule of our kind as nft(8) prints it; what it does not know stays JSON. */
export function plainRule(expr: readonly Expression[]): string {
  return expr.map(partText).join(" ");
}

function partText(part: Expression): string {
  const { match, ...rest } = part;
  if (isRecord(match)) return matchText(match) ?? JSON.stringify(part);
  const [[name, value] = ["", undefined], ...more] = Object.entries(rest);
  return value === null && more.length === 0 ? name : JSON.stringify(part);
}

function matchText({ op, left, right }: Expression): string | undefined {
  const not = op === "!=" ? "!= " : op === "==" || op === "in" ? "" : undefined;
  if (not === undefined || !isRecord(left)) return undefined;
  const { payload, meta } = left;
  if (isRecord(payload) && Object.keys(left).length === 1) {
    return `${payload.protocol} ${payload.field} ${not}${elementText(right)}`;
  }
  return isRecord(meta) && Object.keys(left).length === 1
    ? `${meta.key} ${not}${JSON.stringify(right)}`
    : undefined;
}

/** What a set holds, or what is on the right of a match. */
export function elementText(value: unknown): string {
  if (typeof value === "string") return value;
  const prefix = isRecord(value) ? value.prefix : undefined;
  return isRecord(prefix)
    ? `${prefix.addr}/${prefix.len}`
    : JSON.stringify(value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
