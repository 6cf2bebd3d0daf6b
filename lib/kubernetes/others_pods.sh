#!/bin/sh
# Which pods of others run on a cluster: those that neither kubeadm nor stage 09
# started.
#
#   others_pods.sh KUBECONFIG STATE NAMESPACE
#
# Prints "ours" where stage 02 made the cluster, else "theirs"; then a line a
# pod, NAMESPACE/NAME NODE. Ends with 44 where kubeadm has made no control plane,
# or was cut off while it did; with 45 where the API server does not answer.
set -eu
kubeconfig=$1 state=$2 namespace=$3
[ -e "$kubeconfig" ] || exit 44
case $(cat "$state" 2>/dev/null) in
"done") echo ours ;;
running) exit 44 ;;
*) echo theirs ;;
esac
fields='{range .items[*]}{.metadata.namespace}/{.metadata.name} {.spec.nodeName}{"\n"}{end}'
kubectl() { command kubectl --kubeconfig "$kubeconfig" --request-timeout=10s "$@"; }
pods=$(kubectl get pods -A -o "jsonpath=$fields") || exit 45
own='etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|coredns'
echo "$pods" | grep / | grep -Ev "^(kube-system/($own)-|$namespace/)" || :
