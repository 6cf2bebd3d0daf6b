/** The kernel's tables of neighbours, one a family (net/core/neighbour.c). Pure. */
import { cmd } from "../../exec/command.ts";
import type { KernelTable } from "./table.ts";

/**
 * The tables of neighbours.
 *
 * @param text as `ip -s ntable` tells it
 * @param unbounded a family each, and how many entries the limit is not for
 */
export function neighbourTables(
  text: string,
  unbounded: readonly string[],
): readonly KernelTable[] {
  const table = new RegExp(
    /^(inet6?) (\w+) *\n( +thresh1 .*thresh3 (\d+).*)\n/.source +
      /( +config .*entries (\d+).*)\n(?:.*\n)*?( +table_fulls (\d+))/.source,
    "gm",
  );
  return [...text.matchAll(table)].map((found): KernelTable => {
    const [, inet, name = "", thresholds, limit, config, used, fulls, refused] =
      found;
    const family = inet === "inet" ? 4 : 6;
    const prefix = `net.ipv${family}.neigh.default.gc_thresh`;
    return {
      name: family === 4 ? "ARP table" : "table of IPv6 neighbours",
      of: "packets",
      family,
      used: Number(used),
      limit: Number(limit),
      unbounded: Number(
        unbounded.find((line) => line.startsWith(`${family} `))?.slice(2) ?? 0,
      ),
      refused: Number(refused),
      effect: "a new neighbour is not found, and what is sent to it is lost",
      oneForAll: true,
      shownBy: cmd`ip -s ntable show name ${name}`,
      printed: `…\n${thresholds}\n${config}\n…\n${fulls}\n…`,
      setting: `${prefix}3`,
      // From gc_thresh2 on, the kernel looks for old ones at each new one.
      widen: (limit) =>
        cmd`sysctl -w ${`${prefix}3=${limit}`} ${`${prefix}2=${limit / 2}`}`,
    };
  });
}
