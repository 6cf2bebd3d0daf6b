#!/bin/sh
# Whether Kubernetes has a Node for this machine, and what makes it have one: a
# kubelet registers its machine when it starts, and not again.
#
#   registration.sh ask|register KUBECONFIG NODE
#
# "ask" ends with 44 where kubeadm has not been here, with 45 after the name of
# another Node that this machine is, else as `kubectl get node NODE` does.
set -eu
verb=$1 kubeconfig=$2 name=$3
[ -e "$kubeconfig" ] || exit 44

get() { # NODE
  kubectl --kubeconfig "$kubeconfig" --request-timeout=10s get node "$1" -o name
}

# The name by which this machine's kubelet registers.
flags=/var/lib/kubelet/kubeadm-flags.env
own=$(cat /etc/default/kubelet /etc/sysconfig/kubelet "$flags" 2>/dev/null |
  sed -n 's/.*--hostname-override=\([^ "]*\).*/\1/p' | head -n 1)
[ -n "$own" ] || own=$(uname -n | tr '[:upper:]' '[:lower:]')

if [ "$verb" = ask ]; then
  if [ "$own" != "$name" ] && get "$own" >/dev/null 2>&1; then
    echo "$own"
    exit 45
  fi
  get "$name"
  exit
fi

systemctl restart kubelet
tries=0
until said=$(get "$name" 2>&1); do
  tries=$((tries + 1))
  if [ "$tries" -gt 60 ]; then
    echo "a minute after its kubelet was started again Kubernetes has no node $name: $said" >&2
    echo "join it anew: run kubeadm reset -f on it, then this stage again" >&2
    exit 1
  fi
  sleep 1
done
