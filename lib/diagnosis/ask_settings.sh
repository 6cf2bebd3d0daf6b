#!/bin/sh
# FAMILY/NAME...: each setting of all, default and every interface that is no pod's.
cd /proc/sys/net || exit
for path in ipv4/conf/*; do
  device=${path##*/}
  case $device in veth*) continue ;; esac
  for setting; do
    grep -sH "" "${setting%%/*}/conf/$device/${setting#*/}"
  done
done
:
