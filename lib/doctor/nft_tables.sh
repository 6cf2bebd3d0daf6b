#!/bin/sh
# Each table of nftables that is not iptables' own, whole, as JSON in a line.
command -v nft >/dev/null || exit 44
nft list tables | while read -r _ family table; do
  case "$family $table" in
  ip*" "filter | ip*" "nat | ip*" "mangle | ip*" "raw | ip*" "security) ;;
  # nft joins its arguments: a name with other signs could be commands to it.
  *[!A-Za-z0-9_./" "-]*) ;;
  *) nft -j list table "$family" "$table" ;;
  esac
done
