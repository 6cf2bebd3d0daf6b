#!/bin/sh
# [CONFIGS PLUGINS STORES]: how a network namespace is set, and the files of a node, in parts.
part iptables; iptables-save 2>/dev/null
part ip6tables; ip6tables-save 2>/dev/null
part settings
conf=/proc/sys/net/ipv4/conf
grep -H '' $conf/*/rp_filter $conf/*/proxy_arp $conf/*/arp_ignore \
  $conf/*/arp_filter $conf/*/accept_local $conf/*/route_localnet \
  $conf/*/forwarding /proc/sys/net/ipv4/neigh/*/mcast_solicit \
  /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_default_ttl \
  /proc/sys/net/ipv4/icmp_echo_ignore_all /proc/sys/net/ipv4/ip_no_pmtu_disc \
  /proc/sys/net/ipv6/conf/*/forwarding /proc/sys/net/ipv6/conf/*/disable_ipv6 \
  /proc/sys/net/bridge/bridge-nf-call-iptables \
  /proc/sys/net/bridge/bridge-nf-call-ip6tables 2>/dev/null
for family in 4 6; do
  part "rules$family"; ip -"$family" -o rule 2>/dev/null
  part "routes$family"; ip -"$family" -o route show table all 2>/dev/null
done
part neighbours; ip -o neigh show nud permanent 2>/dev/null
part links; ip -j -d addr
part qdiscs; tc qdisc 2>/dev/null
part ipsec; ip -o xfrm policy 2>/dev/null
nft list tables 2>/dev/null | while read -r _ family table; do
  case $family:$table in
  ip:filter | ip:nat | ip:mangle | ip:raw | ip:security) continue ;;
  ip6:filter | ip6:nat | ip6:mangle | ip6:raw | ip6:security) continue ;;
  esac
  part "nft $family $table"; nft list table "$family" "$table"
done
if [ $# -gt 0 ]; then
  part configs
  for file in "$1"/*; do
    if [ -f "$file" ]; then echo "$file $(stat -c %A "$file") $(cksum <"$file")"; fi
  done
  part programs
  for file in "$2"/*; do
    if [ -f "$file" ]; then stat -c '%n %A %s' "$file"; fi
  done
  part leases; grep -H '' "$3"/*/[0-9a-f]* 2>/dev/null
fi
