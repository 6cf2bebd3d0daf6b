/**
 * The text of IPv4 and IPv6 addresses and the numbers that it stands for.
 * address.ts gives them their types.
 */

/** Digits without leading zeros, up to `max`. */
export function decimal(text: string, max: number): number | undefined {
  if (text.length === 0 || text.length > 3) return undefined;
  if (text.length > 1 && text.charCodeAt(0) === 0x30) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value <= max ? value : undefined;
}

/** `10.244.1.7` as a number below 2^32; undefined for any other text. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split(".", 5);
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    const byte = decimal(part, 255);
    if (byte === undefined) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

/** The number, below 2^32, as `10.244.1.7`. */
export function formatIpv4(value: number): string {
  return `${value >>> 24}.${value >>> 16 & 255}.${value >>> 8 & 255}.${
    value & 255
  }`;
}

/**
 * `fd00::7` and every other form of RFC 4291, 2.2 as a number below 2^128;
 * undefined for any other text.
 */
export function parseIpv6(text: string): bigint | undefined {
  const halves = text.split("::", 3);
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0]!, halves.length === 1);
  if (head === undefined) return undefined;
  if (halves.length === 1) {
    return head.length === 8 ? fromGroups(head) : undefined;
  }
  const tail = groupsOf(halves[1]!, true);
  if (tail === undefined) return undefined;
  // RFC 4291, 2.2: "::" stands for one or more groups, never for none.
  const missing = 8 - head.length - tail.length;
  if (missing < 1) return undefined;
  return fromGroups([...head, ...Array<number>(missing).fill(0), ...tail]);
}

/** The number, below 2^128, as RFC 5952, 4 and 5 writes it. */
export function formatIpv6(value: bigint): string {
  if (value >> 32n === 0xffffn) {
    return `::ffff:${formatIpv4(Number(value & 0xffff_ffffn))}`;
  }
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) {
    groups.push(Number((value >> shift) & 0xffffn));
  }
  const [start, length] = longestZeroRun(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${
    hex.slice(start + length).join(":")
  }`;
}

/** The groups of one side of a "::"; the last two may be written as IPv4 where the address ends. */
function groupsOf(text: string, atEnd: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":", 9);
  for (const [i, part] of parts.entries()) {
    if (atEnd && i === parts.length - 1 && part.includes(".")) {
      const value = parseIpv4(part);
      if (value === undefined) return undefined;
      groups.push(value >>> 16, value & 0xffff);
    } else {
      const group = hexadecimal(part);
      if (group === undefined) return undefined;
      groups.push(group);
    }
  }
  return groups;
}

/** One to four hexadecimal digits. */
function hexadecimal(text: string): number | undefined {
  if (text.length === 0 || text.length > 4) return undefined;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    // Bit 5 set turns A-F into a-f.
    const letter = (code | 0x20) - 0x61;
    const isLetter = letter >= 0 && letter < 6;
    const digit = isLetter ? letter + 10 : code - 0x30;
    if (!isLetter && (digit < 0 || digit > 9)) return undefined;
    value = value << 4 | digit;
  }
  return value;
}

function fromGroups(groups: readonly number[]): bigint {
  let value = 0n;
  for (const group of groups) value = value << 16n | BigInt(group);
  return value;
}

/** Start and length; of two as long the first (RFC 5952, 4.2.3). */
function longestZeroRun(groups: readonly number[]): [number, number] {
  let best: [number, number] = [0, 0];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > best[1]) best = [i, end - i];
    if (end > i) i = end;
  }
  return best;
}
