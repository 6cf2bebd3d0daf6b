/**
 * A chain of ours in nftables as a step. Stages 06 and 07 share one table: each
 * loads its own chain, with the sets that both refer to, and the last chain to
 * go takes the table along.
 */
import { familiesOf } from "../cluster/address_family.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { isOwnTableOff } from "../net/nft_json.ts";
import { cmd, withInput } from "../exec/command.ts";
import type { Family } from "../net/cidr.ts";
import { mark } from "../net/mark.ts";
import {
  type NftChainText,
  nftChainText,
  nftDifference,
  nftTable,
} from "../net/nft_table.ts";
import type { Probe, Step } from "../stage/stage.ts";
import { unknown } from "./probes.ts";

/** Asks for our table, as nftDifference() and natRules() read it. */
export const askOwnTable = cmd`nft -j list table ${[...nftTable]}`;

/** Shows a person what our table rewrites. */
export const showNatChain = cmd`nft list chain ${[...nftTable]} postrouting`;

/** Takes the chain away if it is there, and the table where it was the last. */
const remove = `chain=$1; shift
nft list tables >/dev/null || exit
nft list chain "$@" "$chain" >/dev/null 2>&1 || exit 0
nft delete chain "$@" "$chain" || exit
nft list table "$@" | grep -q '^[[:space:]]*chain ' || nft delete table "$@"`;

/**
 * Puts our table on where it is dormant: the chains in it cannot be changed in the
 * transaction that does so (EINVAL).
 */
export const nftTableOn: Step = {
  key: `the table ${nftTable.join(" ")} is on`,
  why: "The table is dormant, so its chains do nothing: this puts it on",
  doneWhen: {
    ask: askOwnTable,
    read: ({ code, stdout }) =>
      code === 0 && isOwnTableOff(stdout)
        ? { is: "absent", found: `the table ${nftTable.join(" ")} is dormant` }
        : { is: "unneeded", ours: false },
  },
  run: cmd`nft add table ${[...nftTable]} ${`{ comment "${mark}"; }`}`,
};

/**
 * Loads a chain with all of its rules in one transaction.
 *
 * @param why what it is for
 * @param cluster where it is one family of two, only rules of that one are asked about
 */
export function nftChain(
  why: string,
  chain: NftChainText,
  cluster: Pick<Cluster, "clusterCIDRs" | "whole">,
): Step {
  const { clusterCIDRs, whole } = cluster;
  const family = whole && familiesOf(cluster)[0];
  const place = [...nftTable, chain.name].join(" ");
  return {
    key: `the chain ${place}`,
    why,
    doneWhen: nftChainIs(chain, clusterCIDRs, family),
    run: {
      ...withInput(cmd`nft -f -`, nftChainText(chain, clusterCIDRs)),
      label: `nft -f - (the chain ${place})`,
    },
    undo: {
      ...cmd`sh -c ${remove} undo ${chain.name} ${[...nftTable]}`,
      label: `nft delete chain ${place}`,
    },
  };
}

/** Is our chain there as it has to be, and are the sets? */
function nftChainIs(
  chain: NftChainText,
  clusterCIDRs: readonly string[],
  family: Family | undefined,
): Probe {
  const table = nftTable.join(" ");
  const remedy = `remove it (nft delete table ${table}) ` +
    "if nothing needs it, and run 06-forwarding and 07-masquerade again";
  return {
    ask: askOwnTable,
    read(outcome) {
      const { code, ended, stderr, stdout } = outcome;
      const isAbsent = code === 1 && ended === undefined &&
        /No such file or directory/.test(stderr);
      if (isAbsent) return { is: "absent", found: `no table ${table}` };
      const found = code === 0
        ? nftDifference(stdout, chain, clusterCIDRs, family)
        : undefined;
      if (found === undefined) {
        return unknown(outcome, `what the table ${table} holds`);
      }
      if (!found.ours) {
        const what = `there is a table ${table} that this tool did not make`;
        return { is: "different", found: what, remedy };
      }
      if (found.otherSet !== undefined) {
        const what =
          `the set ${found.otherSet} of the table ${table} is of another kind ` +
          "than this tool makes it";
        return { is: "different", found: what, remedy };
      }
      if (found.wrong.length === 0) return { is: "present", ours: true };
      const absent = { is: "absent", found: found.wrong.join("; ") } as const;
      return found.hasChain ? { ...absent, ours: true } : absent;
    },
  };
}
