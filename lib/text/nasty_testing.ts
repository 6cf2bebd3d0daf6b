/** Names as somebody might give them who means harm; a kernel takes most of them for links. */
export const nastyNames: readonly string[] = [
  "two\nlines",
  "\x1b[31mred",
  "a'b\"c",
  "$(id>ZZ)",
  "`id>ZZ`",
  "a;id>ZZ",
  "-rf",
  "a|b&c",
  "right\u202eleft",
  "ééééééé1", // 15 bytes.
  "\x9b2J",
  "\\u0041",
  "$$HOME",
];
