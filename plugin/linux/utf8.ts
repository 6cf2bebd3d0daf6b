/**
 * Texts to bytes and back.
 */

/** One for all: making one is not free. */
export const encoder = new TextEncoder();

let decoder: TextDecoder | undefined;

/**
 * Bytes as a text; what is no UTF-8 becomes U+FFFD. Nearly always it is ASCII,
 * for which it takes longer to get the decoder ready than to do without.
 */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte > 127) return (decoder ??= new TextDecoder()).decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}
