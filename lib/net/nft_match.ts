/** Whether a packet meets a part of a rule of nftables: a reading of libnftables-json(5). Pure. */
import {
  asRecord,
  type Frame,
  isLength,
  isOneOf,
  type NftExpression,
} from "./nft_fields.ts";

/** The elements of a set, or of a map, of a rule's table by its name. */
export type ElementsOf = (name: string) => readonly unknown[];

/** A part itself, or the verdict that a map has for the packet (nft(8), vmap). */
export function nftVerdict(
  part: NftExpression,
  frame: Frame,
  elementsOf: ElementsOf,
): NftExpression {
  return "vmap" in part
    ? verdictOfMap(part.vmap, frame, elementsOf)?.verdict ?? {}
    : part;
}

/** Parts of a rule that ask nothing. */
const silent = [
  ...["drop", "reject", "accept", "return", "jump", "goto", "counter", "log"],
  ...["mangle", "notrack", "continue", "queue", "last", "flow", "ct helper"],
];

/** Whether a packet meets a part of a rule; undefined when that cannot be told. */
export function nftMeets(
  part: NftExpression,
  frame: Frame,
  elementsOf: ElementsOf,
): boolean | undefined {
  if ("vmap" in part) {
    const found = verdictOfMap(part.vmap, frame, elementsOf);
    return found === undefined ? false : found.verdict && true;
  }
  if ("xt" in part) return meetsExtension(part.xt);
  if (!("match" in part)) {
    return silent.some((name) => name in part) ? true : undefined;
  }
  const { left, right, op } = asRecord(part.match);
  if (typeof op === "string" && /^[<>]=?$/.test(op)) {
    return isLength(op, left, right, frame);
  }
  const same = isOneOf(left, valuesOf(right, elementsOf), frame);
  if (same === undefined) return undefined;
  return op === "!=" ? !same : op === "==" || op === "in" ? same : undefined;
}

/** Of what iptables hands to its own code, nft(8) knows the names alone. */
function meetsExtension(extension: unknown): boolean | undefined {
  const { type, name } = asRecord(extension);
  const asks = type === "match" ? name !== "comment" : name !== "REJECT";
  return asks ? undefined : true;
}

/**
 * What a map has for a packet: nothing where no element of it is the packet's, no
 * verdict where that cannot be told.
 */
function verdictOfMap(
  map: unknown,
  frame: Frame,
  elementsOf: ElementsOf,
): { readonly verdict?: NftExpression } | undefined {
  const { key, data } = asRecord(map);
  let isUnclear = false;
  let other: NftExpression | undefined;
  for (const entry of valuesOf(data, elementsOf)) {
    const [wanted, verdict] = Array.isArray(entry) ? entry : [];
    const same = isOneOf(key, [bare(wanted)], frame);
    if (wanted === "*") {
      if (same !== false) other = asRecord(verdict);
      continue;
    }
    if (same === true) return { verdict: asRecord(verdict) };
    isUnclear ||= same === undefined;
  }
  if (isUnclear) return {};
  return other === undefined ? undefined : { verdict: other };
}

/** What is on the right of a match: one value, a set or a list of them, or the name of a set. */
function valuesOf(right: unknown, elementsOf: ElementsOf): readonly unknown[] {
  if (typeof right === "string" && right.startsWith("@")) {
    return elementsOf(right.slice(1)).map(bare);
  }
  const { set } = asRecord(right);
  return [Array.isArray(right) ? right : set ?? right].flat().map(bare);
}

/** An element without its timeout, counter or comment. */
function bare(element: unknown): unknown {
  const { elem } = asRecord(element);
  return Array.isArray(element) || elem === undefined
    ? element
    : asRecord(elem).val;
}
