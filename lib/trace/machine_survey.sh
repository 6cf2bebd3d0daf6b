#!/bin/sh
# FAMILY PODS ADDRESSES PORT FOLDER MACHINE COUNTERS PROGRAM...: what a machine has
# before a trace, in parts. COUNTERS is a shell program.
family=$1 pods=$2 addresses=$3 port=$4 folder=$5 machine=$6 counters=$7
shift 7
part programs; for program; do command -v "$program"; done
part links; ip -j addr show
part routes; ip -j "-$family" route show
part rules; ip -j "-$family" rule
part counters; sh -c "$counters"
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
  part pod.counters; nsenter --net="$at" sh -c "$counters"
  part pod.serving; nsenter --net="$at" ss -Hltn 'sport = :80'
  part pod.cached; grep -hsF -e "\"sandbox\":\"$at\"" "$@"
  [ ! -e "$folder/$name.json" ] || { part pod.result; cat "$folder/$name.json"; }
  for gateway in $(nsenter --net="$at" ip "-$family" route show |
    sed -n 's/.* via \([^ ]*\) .*/\1/p'); do
    ip -o addr show to "$gateway" | grep -q . || addresses="$addresses $gateway"
  done
}

for pod in $pods; do
  sandbox=$(sandbox_of "$pod" "$@")
  if [ -n "$sandbox" ]; then tell "$pod" "$sandbox" "$@"; fi
done
# Pods by an address: the receiver, and whichever is a gateway of those above.
[ -z "$addresses" ] || for sandbox in /run/netns/*; do
  pod=${sandbox##*/}
  case " $pods " in *" $pod "*) continue ;; esac
  [ -e "$sandbox" ] || continue
  for one in $addresses; do
    nsenter --net="$sandbox" ip -o addr show to "$one" 2>/dev/null | grep -q . || continue
    tell "$pod" "$sandbox" "$@"
    break
  done
done
