#!/bin/sh
# JOURNAL CONFIGS PLUGINS FAMILIES SYSCTL...: what a machine has, in parts.
journal=$1 configs=$2 plugins=$3 families=$4
shift 4
part journal; cat "$journal" 2>/dev/null
part links; ip -j -d addr
part routes; ip -j route
part routes6; ip -j -6 route
for family in $families; do
  tool=iptables; [ "$family" = 4 ] || tool=ip6tables
  part "forward$family"; $tool -w -S FORWARD 2>/dev/null
  part "nat$family"; $tool -w -t nat -S POSTROUTING 2>/dev/null
done
part nft; nft -j list table inet deno_cni 2>/dev/null
for name; do
  path=/proc/sys rest=$name.
  while [ -n "$rest" ]; do path=$path/${rest%%.*} rest=${rest#*.}; done
  if [ -r "$path" ]; then
    read -r value <"$path"
    part "sysctl $name"; printf '%s\n' "$value"
  fi
done
part plugins
for file in "$plugins"/*; do
  if [ -f "$file" ] && [ -x "$file" ]; then echo "${file##*/}"; fi
done
part bgp
if [ -S /run/bird/bird.ctl ]; then timeout 5 birdc -r show protocols all 2>&1; fi
part agent
if [ -r /run/deno-cni/agent.json ]; then
  echo $(($(date +%s) - $(stat -c %Y /run/deno-cni/agent.json)))
  cat /run/deno-cni/agent.json
fi
part daemon
head -c 4096 "$plugins/deno-cni" 2>/dev/null | sed -n 's/^version=/installed /p'
[ ! -d /run/systemd/system ] || echo systemd
if [ -d /run/deno-cni/daemon ]; then
  stat -c 'folder %a %u' /run/deno-cni/daemon
  for file in /run/deno-cni/daemon/*; do
    [ -f "$file" ] || continue
    read -r pid call folder <"$file"
    # shellcheck disable=SC3013 # Every sh of today knows -ef.
    if [ "/proc/$pid/fd/$call" -ef "$folder/call" ]; then echo "serves ${file##*/} $pid"; fi
  done
fi
list=
for file in "$configs"/*; do
  case $file in
  *.conf | *.conflist | *.json)
    list=$file
    part list.path; printf %s "$file"
    part list; cat "$file"
    break
    ;;
  esac
done
data=$(sed -n '/"dataDir" *: *"/{s/.*"dataDir" *: *"\([^"]*\)".*/\1/p;q;}' "${list:-/dev/null}")
part leases
set -- "${data:-/run/deno-cni/networks}"
[ "$1" = /var/lib/cni/networks ] || set -- "$1" /var/lib/cni/networks
for store; do
  [ -d "$store" ] || continue
  find "$store" -mindepth 2 -maxdepth 2 -type f ! -path "$store/.*" -name '*[.:]*' \
    ! -name 'last_reserved_ip.*' \
    \( -size 0 -exec printf '%s:\n' {} + -o -exec grep -H '' {} + \) 2>/dev/null
done
set -- /var/lib/cni/results/*-eth0
[ -e "$1" ] || set --
sandbox='"sandbox":"[^"]*\/\([^"/]*\)"'
for key in NAME NAMESPACE; do
  case $key in NAME) part names ;; *) part namespaces ;; esac
  pod="\"K8S_POD_$key\",\"\\([^\"]*\\)\""
  [ $# = 0 ] || sed -n "s/.*$pod.*$sandbox.*/\\2 \\1/p" "$@" 2>/dev/null
done
line='
'
stat -f -c '%T %n' /run/netns/* 2>/dev/null | while read -r type sandbox; do
  [ "$type" = nsfs ] || continue
  part pod; printf %s "${sandbox##*/}"
  # One process answers both, each in a line.
  lists=$(nsenter --net="$sandbox" ip -j -force -batch - <<END
addr
route
END
  )
  part pod.links; printf '%s\n' "${lists%%"$line"*}"
  part pod.routes; printf '%s\n' "${lists#"${lists%%"$line"*}"}"
  part pod.routes6; nsenter --net="$sandbox" ip -j -6 route
done
