/** The mark that everything bears that this tool makes. */
/** Our mark: the alias of a link, the comment of a rule. */
export const mark = "deno-cni";
