#!/bin/sh
# Removes what bears the mark, for a node whose journal is gone. MARK PROTOCOL FAMILY TABLE
# Says on stdout what was removed, and what is left that is not ours: "removed WHAT", "left WHAT".
# Exits 0 where nothing of ours is left.
mark=$1 protocol=$2 family=$3 table=$4
for way in -4 -6; do
  for route in $(ip "$way" route show proto "$protocol" 2>/dev/null | cut -d ' ' -f 1); do
    echo "removed the route to $route"
  done
  ip "$way" route flush proto "$protocol" 2>/dev/null
done
for link in /sys/class/net/*; do
  [ "$(cat "$link/ifalias" 2>/dev/null)" = "$mark" ] || continue
  ip link del "${link##*/}" && echo "removed the link ${link##*/}"
done
for tool in iptables ip6tables; do
  for chain in filter:FORWARD nat:POSTROUTING; do
    "$tool" -w -t "${chain%%:*}" -S "${chain##*:}" 2>/dev/null |
      grep -E -- "--comment \"?$mark\"?( |\$)" | sed 's/^-A/-D/' |
      while read -r rule; do
        # The rule is as the tool itself prints it.
        eval "\"$tool\" -w -t \"${chain%%:*}\" $rule" && echo "removed the rule $tool $rule"
      done
  done
done
if nft list table "$family" "$table" 2>/dev/null | grep -q "comment \"$mark\""; then
  nft delete table "$family" "$table" && echo "removed the nftables table $family $table"
fi

conf=/etc/bird/bird.conf example=/usr/share/bird2/bird.conf
if head -n 1 "$conf" 2>/dev/null | grep -q "^# $mark: "; then
  if [ -d /run/systemd/system ]; then systemctl disable -q --now bird
  else
    birdc down >/dev/null 2>&1
    tries=0
    while birdc -r show status >/dev/null 2>&1 && [ $((tries += 1)) -lt 200 ]; do sleep 0.05; done
    rm -rf /run/bird
  fi
  sed -n 's/^define all_pods_\([46]\) = \[ \(.*\)+ \];$/-\1 \2/p' "$conf" |
    while read -r way cidr; do ip "$way" route flush proto bird root "$cidr"; done
  rm -f "$conf" "$conf.new" /etc/bird/deno-cni.password /etc/bird/deno-cni.password.new
  [ ! -e "$example" ] || install -m 640 -o bird -g bird "$example" "$conf" 2>/dev/null ||
    cp "$example" "$conf"
  echo "removed what bird was told ($conf)"
fi

for unit in deno-cni.service deno-cni-watch.service deno-cni-daemon.service; do
  file=/etc/systemd/system/$unit
  [ -e "$file" ] || continue
  systemctl disable -q --now "$unit"
  rm -f "$file" && echo "removed $file"
done
list=/etc/cni/net.d/10-deno-cni.conflist
data=$(sed -n 's/.*"dataDir" *: *"\(\/[^"]*\)".*/\1/p' "$list" 2>/dev/null | head -n 1)
for path in /etc/deno-cni/boot.sh /etc/deno-cni/boot.d /opt/cni/bin/deno-cni /opt/cni/lib/deno-cni \
  "$list" /var/lib/deno-cni/nodes.json \
  /var/lib/deno-cni/written.conflist /run/deno-cni/agent.json /run/deno-cni/agent.lock \
  "${data:-/run/deno-cni/networks}/deno-cni" "${data:-/run/deno-cni/networks}/.deno-cni"; do
  [ -e "$path" ] || continue
  rm -rf "$path" && echo "removed $path"
done
for folder in /etc/deno-cni /opt/cni/lib /var/lib/deno-cni \
  "${data:-/run/deno-cni/networks}" /run/deno-cni; do
  rmdir "$folder" 2>/dev/null
done
[ ! -d /run/systemd/system ] || systemctl daemon-reload

for key in net.ipv4.ip_forward net.ipv6.conf.all.forwarding; do
  [ "$(sysctl -n "$key" 2>/dev/null)" != 1 ] ||
    echo "left $key = 1: it was so before, or nothing says what it was"
done
for path in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json /opt/cni/bin/*; do
  [ ! -f "$path" ] || echo "left $path: not ours, or of use to others"
done
veths=$(ip -br link show type veth 2>/dev/null | grep -c '^veth')
[ "$veths" = 0 ] || echo "left $veths links of pods that still run; each goes with its pod"
[ -z "$(ip -4 route show proto "$protocol")$(ip -6 route show proto "$protocol" 2>/dev/null)" ]
