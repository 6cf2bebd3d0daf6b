#!/bin/sh
# PORT FOLDER CONFIGS PLUGINS CONTAINERS: what a node has for the test pods, in parts.
port=$1 folder=$2 configs=$3 plugins=$4 containers=$5
part bridged; ls -d /proc/sys/net/bridge 2>/dev/null
part links; ip -j -d addr show
part busybox; command -v busybox
part serving; ss -Hltn "sport = :$port"
part plugins
for file in "$plugins"/*; do
  if [ -f "$file" ] && [ -x "$file" ]; then echo "${file##*/}"; fi
done
for file in "$configs"/*; do
  case $file in
  *.conf | *.conflist | *.json)
    part list.path; printf %s "$file"
    part list; cat "$file"
    break
    ;;
  esac
done
for pod in shell web; do
  at=/run/netns/$pod
  [ ! -e "$at" ] || { part "$pod.sandbox"; stat -f -c %T "$at"; }
  [ ! -e "$folder/$pod.conflist" ] || { part "$pod.list"; cat "$folder/$pod.conflist"; }
  [ ! -e "$folder/$pod.json" ] || { part "$pod.result"; cat "$folder/$pod.json"; }
done
if [ -e "$folder/web.json" ]; then
  part web.serving; nsenter --net=/run/netns/web ss -Hltn 'sport = :80' 2>/dev/null
fi
part runtime; eval "$containers"
