#!/bin/sh
# Takes back what kubeadm did, and the rules of kube-proxy and kubelet, which
# `kubeadm reset` leaves: chains by names that begin with KUBE-, and the rules
# that lead there.
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
for tool in iptables ip6tables; do
  command -v "$tool-save" >/dev/null || continue
  for table in filter nat mangle; do
    "$tool-save" -t "$table" 2>/dev/null | sed -n \
      -e '/^:KUBE-/{s/^:\([^ ]*\) .*/-F \1\n-X \1/;p;}' \
      -e '/^-A KUBE-/d' -e '/ KUBE-/s/^-A /-D /p' |
      sort | {
      echo "*$table"
      cat
      echo COMMIT
    } | "$tool-restore" -w --noflush
  done
done
rm -f "$state" "$state.lock"
