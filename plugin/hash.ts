/**
 * A hash of a text, for names and MACs that follow from what they stand for.
 */

/**
 * Two times 32 bits: two rounds of 32-bit FNV-1a with different beginnings,
 * mixed so that small differences reach every bit. In 32-bit arithmetic, for
 * big integers would make it a large part of an ADD.
 */
export function hashOf(text: string): readonly [high: number, low: number] {
  let high = 0x811c9dc5;
  let low = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    // Nearly every text here is ASCII.
    const unit = text.charCodeAt(at);
    high = Math.imul(high ^ unit, 0x01000193);
    low = Math.imul(low ^ unit, 0x85ebca6b);
    low ^= low >>> 13;
  }
  high = Math.imul(high ^ (high >>> 16), 0x7feb352d) ^ low;
  low = Math.imul(low ^ (low >>> 15), 0x846ca68b) ^ (high >>> 16);
  return [high >>> 0, low >>> 0];
}
