#!/bin/sh
# FAMILY PODS ADDRESS PORT FOLDER MACHINE PROGRAM...: what a machine has before a trace, in parts.
family=$1 pods=$2 address=$3 port=$4 folder=$5 machine=$6
shift 6
part programs; for program; do command -v "$program"; done
part links; ip -j addr show
part routes; ip -j "-$family" route show
part counters; cat /proc/net/snmp /proc/net/netstat /proc/net/snmp6 2>/dev/null
part ids; ip netns list-id
part serving; ss -Hltn "sport = :$port"
part names
ls /run/netns 2>/dev/null
set -- /var/lib/cni/results/*-eth0
grep -hos '"K8S_POD_NAME","[^"]*"' "$@" | cut -d'"' -f4

# A runtime of Kubernetes names namespaces as it likes; libcni's cache knows whose they are.
sandbox_of() { # POD RESULT...
  name=$1
  shift
  if [ -e "/run/netns/$name" ]; then echo "/run/netns/$name"; return; fi
  key='"K8S_POD_NAME"'
  grep -hsF -e "$key,\"$name\"" -e "$key,\"$name-$machine\"" "$@" |
    grep -o '"sandbox":"[^"]*"' | cut -d'"' -f4 | while IFS= read -r at; do
    if [ -e "$at" ]; then echo "$at"; fi
  done | tail -n 1
}

tell() { # POD SANDBOX RESULT...
  name=$1 at=$2
  shift 2
  part pod; printf %s "$name"
  part pod.sandbox; printf %s "$at"
  part pod.links; nsenter --net="$at" ip -j addr show
  part pod.routes; nsenter --net="$at" ip -j "-$family" route show
  part pod.serving; nsenter --net="$at" ss -Hltn 'sport = :80'
  part pod.cached; grep -hsF -e "\"sandbox\":\"$at\"" "$@"
  [ ! -e "$folder/$name.json" ] || { part pod.result; cat "$folder/$name.json"; }
}

for pod in $pods; do
  sandbox=$(sandbox_of "$pod" "$@")
  if [ -n "$sandbox" ]; then tell "$pod" "$sandbox" "$@"; fi
done
[ -z "$address" ] || for sandbox in /run/netns/*; do
  pod=${sandbox##*/}
  case " $pods " in *" $pod "*) continue ;; esac
  [ -e "$sandbox" ] || continue
  nsenter --net="$sandbox" ip -o addr show to "$address" 2>/dev/null | grep -q . || continue
  tell "$pod" "$sandbox" "$@"
done
