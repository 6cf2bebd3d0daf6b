#!/bin/sh
# What a network namespace has on its packets' path beside the stages' own, in
# parts. A part NAME.text is what a person sees, for evidence. Most namespaces
# have little of this, so that questions about it wait for a sign that it is there.
# Several questions go to one process of ip, for starting one takes longer than its answer;
# lo, which every namespace has, stands between two answers.
links=$(ip -d -j addr)
part links; printf '%s\n' "$links"
part links.text; ip -d addr
lo='link show dev lo'
own='route show table local type local'
lists=$(
  part "lists routes local rules neighbours"
  ip -j -force -batch - <<END
route
$lo
$own
$lo
rule
$lo
neigh show nud permanent
END
  part "lists routes local rules"
  ip -j -6 -force -batch - <<END
route
$lo
$own
$lo
rule
END
)
printf '%s\n' "$lists"
part routes.text; ip route; ip -6 route
case $lists in
*'"table":"'[!lmd]*) part tables; ip -j route show table all; ip -j -6 route show table all ;;
esac
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
tables=$(nft list tables 2>/dev/null) || tables=unknown
# What iptables keeps in nftables is asked for by its own program, where that is there.
theirs=
command -v iptables >/dev/null && theirs='filter nat mangle raw security'
others=$(printf '%s\n' "$tables" | while read -r _ family table; do
  case "$family $theirs " in ip*" $table "*) ;; *) [ -z "$family" ] || echo "$table" ;; esac
done)
if [ -n "$others" ]; then
  part nft; nft -j list ruleset 2>/dev/null
  part nft.text; nft -a list ruleset 2>/dev/null
fi
for tool in iptables ip6tables; do
  part $tool
  family=${tool%tables} old=
  # A file of /proc has no size.
  { read -r old <"/proc/net/${family}_tables_names"; } 2>/dev/null
  # A family without a table has no rules, and the old program's own question would load some.
  case $tables in
  *"table $family "* | unknown) ;;
  *) [ -n "$old" ] || continue ;;
  esac
  $tool-save 2>/dev/null
  [ -n "$old" ] || continue
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
