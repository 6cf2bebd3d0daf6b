#!/bin/sh
# LINK TABLE POD...: what may impair the link of this machine, and of pods of it, in parts.
link=$1 table=$2
shift 2
for pod in '' "$@"; do
  enter=
  [ -z "$pod" ] || enter="nsenter --net=/run/netns/$pod"
  part "place $pod"
  part qdiscs; $enter tc qdisc show dev "$link" 2>/dev/null
  part nft; $enter nft list table inet "$table" 2>/dev/null
done
