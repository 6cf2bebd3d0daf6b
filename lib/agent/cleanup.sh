#!/bin/sh
# Removes what bears the mark, for a node whose journal is gone. MARK PROTOCOL
# Exits 0 where nothing is left of it.
mark=$1 protocol=$2
for family in -4 -6; do
  ip "$family" route flush proto "$protocol" 2>/dev/null
done
for link in /sys/class/net/*; do
  [ "$(cat "$link/ifalias" 2>/dev/null)" != "$mark" ] || ip link del "${link##*/}"
done
for tool in iptables ip6tables; do
  for chain in filter:FORWARD nat:POSTROUTING; do
    "$tool" -w -t "${chain%%:*}" -S "${chain##*:}" 2>/dev/null |
      grep -E -- "--comment \"?$mark\"?( |\$)" | sed 's/^-A/-D/' |
      while read -r rule; do
        # The rule is as the tool itself prints it.
        eval "\"$tool\" -w -t \"${chain%%:*}\" $rule"
      done
  done
done
for unit in deno-cni.service deno-cni-watch.service deno-cni-daemon.service; do
  file=/etc/systemd/system/$unit
  [ -e "$file" ] || continue
  systemctl disable -q --now "$unit"
  rm -f "$file"
done
rm -rf /etc/deno-cni/boot.sh /etc/deno-cni/boot.d /opt/cni/bin/deno-cni /opt/cni/lib/deno-cni
rm -f /etc/cni/net.d/10-deno-cni.conflist /var/lib/deno-cni/nodes.json \
  /var/lib/deno-cni/written.conflist /run/deno-cni/agent.json \
  /run/deno-cni/agent.lock
for folder in /etc/deno-cni /opt/cni/lib /var/lib/deno-cni /run/deno-cni; do
  rmdir "$folder" 2>/dev/null
done
[ ! -d /run/systemd/system ] || systemctl daemon-reload
[ -z "$(ip -4 route show proto "$protocol")$(ip -6 route show proto "$protocol" 2>/dev/null)" ]
