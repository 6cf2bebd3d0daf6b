/** Addresses and short names that are the same at every run. Pure. */

/** A locally administered MAC address (IEEE 802, the second bit), always the same for a name. */
export function mac(name: string): string {
  return `02:dc:${digest(name).replace(/..(?!$)/g, "$&:")}`;
}

/** FNV-1a: 32 bits in hexadecimal that differ where the texts do, for names; no secret. */
export function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, "0");
}
