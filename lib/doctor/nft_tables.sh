#!/bin/sh
# Each table of nftables that is not iptables' own, whole, as JSON in a line; also those, where the
# program went and they stayed.
command -v nft >/dev/null || exit 44
command -v iptables >/dev/null && theirs=iptables || theirs=
nft list tables | while read -r _ family table; do
  case "$theirs $family $table" in
  iptables" "ip*" "filter | iptables" "ip*" "nat | iptables" "ip*" "mangle) ;;
  iptables" "ip*" "raw | iptables" "ip*" "security) ;;
  # nft joins its arguments: a name with other signs could be commands to it.
  *[!A-Za-z0-9_./" "-]*) ;;
  *) nft -j list table "$family" "$table" ;;
  esac
done
