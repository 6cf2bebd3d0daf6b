#!/bin/sh
# FAMILY/NAME...: each setting of all, default and every interface that is no pod's.
cd /proc/sys/net || exit
settings=$*
set -- /dev/null
for path in ipv4/conf/*; do
  device=${path##*/}
  case $device in veth*) continue ;; esac
  for setting in $settings; do
    set -- "$@" "${setting%%/*}/conf/$device/${setting#*/}"
  done
done
# One process for all of them: on a node there are a hundred and more.
grep -sH "" "$@"
:
