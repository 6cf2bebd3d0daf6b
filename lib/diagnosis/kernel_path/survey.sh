#!/bin/sh
# What a network namespace has on its packets' path beside the stages' own, in
# parts. A part NAME.text is what a person sees, for evidence. Most namespaces
# have little of this, so that questions about it wait for a sign that it is there.
links=$(ip -d -j addr)
part links; printf '%s\n' "$links"
part links.text; ip -d addr
part routes; ip -j route; ip -j -6 route
part routes.text; ip route; ip -6 route
part local; ip -j route show table local type local
ip -j -6 route show table local type local
part rules; ip -j rule; ip -j -6 rule
case $(ip rule; ip -6 rule) in
*lookup\ [!lmd]*) part tables; ip -j route show table all; ip -j -6 route show table all ;;
esac
part neighbours; ip -j neigh show nud permanent
queues=$(tc -s qdisc show)
part qdiscs; tc -s -j qdisc show
part qdiscs.text; printf '%s\n' "$queues"
case $queues in
*"qdisc clsact"* | *"qdisc ingress"*)
  filtered='s/^qdisc \(clsact\|ingress\) .* dev \([^ ]*\) .*/\2/p'
  for link in $(printf '%s\n' "$queues" | sed -n "$filtered"); do
    for way in ingress egress; do
      part "filter $way $link"; tc filter show dev "$link" $way 2>/dev/null
    done
  done
  ;;
esac
case $links in
*'"info_kind":"bridge"'*)
  part ports.text; bridge -d link
  part frames; bridge -j fdb show
  part frames.text; bridge fdb show
  part vlans; bridge -j vlan 2>/dev/null
  part vlans.text; bridge vlan show 2>/dev/null
  ;;
esac
policies=$(ip xfrm policy)
part policies; printf '%s\n' "$policies"
part defaults; ip xfrm policy getdefault 2>/dev/null
if [ -n "$policies" ]; then
  part states; ip xfrm state | grep -c '^src '
fi
part settings
(
  cd /proc/sys/net || exit
  grep -s . ipv4/icmp_echo_ignore_all ipv6/icmp/echo_ignore_all /dev/null \
    ipv4/ip_default_ttl ipv6/conf/*/hop_limit ipv4/conf/*/arp_ignore \
    ipv4/neigh/*/mcast_solicit ipv6/neigh/*/mcast_solicit
)
# Of the programs that tc does not show (tcx) this one tells alone.
if command -v bpftool >/dev/null; then
  part programs; bpftool net show 2>/dev/null
fi
# What iptables keeps in nftables is asked for by its own program, where that is there.
theirs='^table ip6* (filter|nat|mangle|raw|security)$'
command -v iptables >/dev/null || theirs='^$'
others=$(nft list tables 2>/dev/null | grep -Ev "$theirs")
if [ -n "$others" ]; then
  part nft; nft -j list ruleset 2>/dev/null
  part nft.text; nft -a list ruleset 2>/dev/null
fi
for tool in iptables ip6tables; do
  part $tool; $tool-save 2>/dev/null
  # The old program's own question would load its tables.
  # A file of /proc has no size.
  grep -qs . "/proc/net/${tool%tables}_tables_names" || continue
  case $($tool --version 2>/dev/null) in *legacy*) continue ;; esac
  part "$tool-legacy"; $tool-legacy-save 2>/dev/null
done
# Its own question would load a table, so that one which is not loaded has no rules.
if command -v ebtables-legacy >/dev/null; then
  part ebtables-legacy
  for table in filter nat broute; do
    if grep -qs "^ebtable_$table " /proc/modules; then ebtables-legacy -t $table -L 2>/dev/null; fi
  done
fi
