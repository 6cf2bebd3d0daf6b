#!/bin/sh
# Takes back what kubeadm did, and the rules of kube-proxy and kubelet, which
# `kubeadm reset` leaves: chains by names that begin with KUBE-, and the rules
# that lead there; and tables that are empty then.
#
#   reset.sh STATE KUBELET_CONF CONFLIST LOOPBACK
#
# The container runtime takes no pod's network away while it has no network
# configuration, which stage 03's undo has removed. For that time CONFLIST is
# one that does nothing, and pods go with their namespaces.
set -eu
state=$1 kubelet=$2 conflist=$3 loopback=$4

if [ -e "$state" ] || [ -e "$kubelet" ]; then
  if [ -x "$loopback" ] && [ -z "$(ls "${conflist%/*}" 2>/dev/null)" ]; then
    trap 'rm -f "$conflist"' EXIT
    mkdir -p "${conflist%/*}"
    echo '{"cniVersion": "0.3.1", "name": "reset", "plugins": [{"type": "loopback"}]}' >"$conflist"
    sleep 2
  fi
  kubeadm reset -f
fi
# Also portmap's chains of our network's pods, whose DEL never came; with the last of them its own.
network='"dnat name: \\"deno-cni\\" '
hostports=CNI-HOSTPORT-
# What undoes rules, from those of a table: deletions, then emptied chains, then chains removed.
undone() {
  rules=$(cat)
  printf '%s\n' "$rules" | sed -n \
    -e '/^:KUBE-/{s/^:\([^ ]*\) .*/-F \1\n-X \1/;p;}' \
    -e '/^-A KUBE-/d' -e '/ KUBE-/s/^-A /-D /p' \
    -e "/^-A ${hostports}DNAT .*$network/{s/^-A \(.* -j \(.*\)\)/-D \1\n-F \2\n-X \2/;p;}"
  mapped=$(printf '%s\n' "$rules" | grep "^-A ${hostports}DNAT" || :)
  case $mapped in '') return ;; esac
  if printf '%s\n' "$mapped" | grep -qv "$network"; then return; fi
  printf '%s\n' "$rules" | sed -n \
    -e "/^:$hostports/{s/^:\([^ ]*\) .*/-F \1\n-X \1/;p;}" \
    -e "/^-A CNI-/d" -e "/ -j $hostports/s/^-A /-D /p"
}
for tool in iptables ip6tables; do
  command -v "$tool-save" >/dev/null || continue
  for table in filter nat mangle; do
    undo=$("$tool-save" -t "$table" 2>/dev/null | undone | sort)
    [ -n "$undo" ] || continue
    printf '*%s\n%s\nCOMMIT\n' "$table" "$undo" | "$tool-restore" -w --noflush
  done
done
# Tables in which nothing is left that changes a packet's fate.
nothing='^(#.*|table .*\{|[[:space:]]*(chain .*\{|type .* policy accept;|\})?)$'
if command -v nft >/dev/null; then
  for table in 'ip filter' 'ip nat' 'ip mangle' 'ip6 filter' 'ip6 nat' 'ip6 mangle'; do
    # shellcheck disable=SC2086 # Two words.
    rules=$(nft list table $table 2>/dev/null) || continue
    # shellcheck disable=SC2086
    printf '%s\n' "$rules" | grep -qvE "$nothing" || nft delete table $table
  done
fi
rm -f "$state" "$state.lock"
