/**
 * Our rules of nftables that rewrite, in the words of iptables: what reads those
 * (traverse() in iptables.ts) then knows these, too. Pure.
 */
import { readNftTable } from "./nft_json.ts";
import type { Family } from "./cidr.ts";
import { mark } from "./mark.ts";

/**
 * The rules of our chain postrouting for a family, as `iptables -S` prints such
 * rules. A match that is not of our making becomes one that nothing understands.
 *
 * @param text what `nft -j list table` printed of our table
 */
export function natRules(text: string, family: Family): readonly string[] {
  const { rules, elementsOf } = readNftTable(text);
  const other = family === 4 ? "ip6 " : "ip ";
  return rules.filter(({ chain, parts }) =>
    chain === "postrouting" && !parts.some((part) => part.startsWith(other))
  ).map(({ parts, comment }) => {
    const matches = parts.slice(0, -1).map((part) => matchOf(part, elementsOf));
    const target = (parts.at(-1) ?? "").toUpperCase();
    const ours = comment === mark ? `-m comment --comment ${mark} ` : "";
    return `-A POSTROUTING ${
      matches.map((match) => `${match} `).join("")
    }${ours}-j ${target}`;
  });
}

function matchOf(
  part: string,
  elementsOf: (set: string) => readonly string[],
): string {
  const [, left = "", not = "", right = ""] =
    /^(ip6? [sd]addr|[io]ifname) (!= )?(\S+)$/.exec(part) ?? [];
  const option = options[left.replace(/^ip6? /, "")];
  const values = right.startsWith("@") ? elementsOf(right.slice(1)) : [right];
  const [value] = values;
  return option === undefined || value === undefined || values.length > 1
    ? "-m nft"
    : `${not ? "! " : ""}${option} ${value.replaceAll('"', "")}`;
}

const options: Readonly<Record<string, string>> = {
  saddr: "-s",
  daddr: "-d",
  iifname: "-i",
  oifname: "-o",
};
