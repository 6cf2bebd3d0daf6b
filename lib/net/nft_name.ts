/** Names in nftables. Pure. */

/**
 * Whether nft(8) reads this as a name and as nothing else. It joins its
 * arguments to one text; the kernel takes other names too, and one such as
 * "x; flush ruleset" would be commands.
 */
export function isNftName(name: string): boolean {
  return /^[A-Za-z_][\w./\\-]*$/.test(name);
}
