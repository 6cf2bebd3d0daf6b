#!/bin/sh
# CONF EXAMPLE: what a node's bird says of its sessions, a line each that begins with what it is
# of. The package's example is as good as none.
conf=$1 example=$2
lists() { # NAME COMMAND…
  name=$1
  shift
  "$@" 2>&1 | sed "s/^/$name /"
}
if [ -e "$conf" ] && ! cmp -s "$conf" "$example"; then
  lists conf head -n 1 "$conf"
else
  echo "conf absent"
fi
lists session birdc -r show protocols all
lists filtered birdc -r show route filtered
for tool in iptables ip6tables; do
  "$tool" -w -S 2>/dev/null | grep -e "^-A \(INPUT\|OUTPUT\) .*port 179 .*-j \(DROP\|REJECT\)" |
    sed "s/^/rule $tool /"
done
echo end
