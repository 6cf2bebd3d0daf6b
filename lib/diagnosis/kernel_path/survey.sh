#!/bin/sh
# What a network namespace has on its packets' path beside the stages' own, in
# parts. A part NAME.text is what a person sees, for evidence.
part links; ip -d -j addr
part links.text; ip -d addr
part routes; ip -j route; ip -j -6 route
part routes.text; ip route; ip -6 route
part neighbours; ip -j neigh show nud permanent; ip -j -6 neigh show nud permanent
part qdiscs; tc -s -j qdisc show
part qdiscs.text; tc -s qdisc show
filtered='s/^qdisc \(clsact\|ingress\) .* dev \([^ ]*\) .*/\2/p'
for link in $(tc qdisc show 2>/dev/null | sed -n "$filtered"); do
  for way in ingress egress; do
    part "filter $way $link"; tc filter show dev "$link" $way 2>/dev/null
  done
done
if [ -n "$(ip link show type bridge)" ]; then
  part ports.text; bridge -d link
  part frames; bridge -j fdb show
  part frames.text; bridge fdb show
  part vlans; bridge -j vlan 2>/dev/null
  part vlans.text; bridge vlan show 2>/dev/null
fi
part policies; ip xfrm policy
part defaults; ip xfrm policy getdefault 2>/dev/null
part states; ip xfrm state | grep -c '^src '
part settings
(
  cd /proc/sys/net || exit
  grep -s . ipv4/icmp_echo_ignore_all ipv6/icmp/echo_ignore_all /dev/null \
    ipv4/ip_default_ttl ipv6/conf/*/hop_limit ipv4/conf/*/arp_ignore \
    ipv4/neigh/*/mcast_solicit ipv6/neigh/*/mcast_solicit
)
if command -v bpftool >/dev/null; then
  part programs; bpftool net show 2>/dev/null
fi
if command -v nft >/dev/null; then
  part nft; nft -j list ruleset 2>/dev/null
  part nft.text; nft -a list ruleset 2>/dev/null
fi
for tool in iptables ip6tables; do
  part $tool; $tool-save 2>/dev/null
  case $($tool --version 2>/dev/null) in *legacy*) continue ;; esac
  # The program's own question would load the old tables.
  if [ -s "/proc/net/${tool%tables}_tables_names" ]; then
    part "$tool-legacy"; $tool-legacy-save 2>/dev/null
  fi
done
