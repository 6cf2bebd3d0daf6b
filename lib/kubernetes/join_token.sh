#!/bin/sh
# Makes a token, and prints it as a kubeconfig for `kubeadm join --discovery-file`:
# so it stands in no process's arguments.
#
#   join_token.sh KUBECONFIG NODE ADDRESSES…
#
# kubeadm refuses the name of a node that is Ready. One that an earlier life of
# the same machine has left behind goes. One that is no longer Ready keeps its
# podCIDR for the new one.
set -eu
export KUBECONFIG="$1"
name=$2
shift 2

field='{.status.conditions[?(@.type=="Ready")].status}'
field="$field "'{.status.addresses[?(@.type=="InternalIP")].address}'
old=$(kubectl get node "$name" -o "jsonpath=$field" 2>/dev/null) || old=
case $old in "True "*) ;; *) old='' ;; esac
for address; do
  case " $old " in
  *" $address "*)
    kubectl delete node "$name" >&2
    break
    ;;
  esac
done

value() {
  sed -n "s/^ *$1: //p" "$KUBECONFIG" | head -n 1
}

token=$(kubeadm token create --ttl 15m --description "joins $name" | tail -n 1)
case $token in
*.*) ;;
*)
  echo "kubeadm made no token" >&2
  exit 1
  ;;
esac
cat <<END
apiVersion: v1
kind: Config
current-context: join
contexts: [{name: join, context: {cluster: join, user: join}}]
clusters:
- name: join
  cluster:
    server: "$(value server)"
    certificate-authority-data: $(value certificate-authority-data)
users: [{name: join, user: {token: "$token"}}]
END
