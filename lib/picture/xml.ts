/** XML as text, with everything escaped that comes from elsewhere. Pure. */

/** A text as it stands in XML, within an element or an attribute's quotes. */
export function escaped(text: string): string {
  return text
    // Control characters cannot be in XML 1.0 at all (2.2, Char); others turn the writing about.
    .replace(/(?![\t\n\r])[\p{Cc}\p{Cf}\p{Cs}\ufffe\uffff]/gu, "\ufffd")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/** An element; its content is XML already. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string | number>>,
  content = "",
): string {
  const given = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${escaped(text(value))}"`).join("");
  return content === ""
    ? `<${name}${given}/>`
    : `<${name}${given}>${content}</${name}>`;
}

function text(value: string | number): string {
  return typeof value === "string"
    ? value
    : String(Math.round(value * 10) / 10);
}
