#!/bin/sh
# Ends all processes that another one has started.
#
#   end_all.sh PID              all below this process, which stays
#   end_all.sh MARK_PART PART   all below the processes with this mark in their
#                               arguments, and those too. It comes in two parts,
#                               or this program would find itself.
#
# Ends with 1 where some of it stays.
root=$1 rest=${2:-}

below() { # PID
  for child in $(pgrep -P "$1"); do
    echo "$child"
    below "$child"
  done
}

all() {
  case $root in
  *-*) ;;
  *)
    below "$root"
    return
    ;;
  esac
  grep -lsF -e "$root$rest" /proc/[0-9]*/cmdline | while IFS=/ read -r _ _ pid _; do
    echo "$pid"
    below "$pid"
  done
}

tries=0
while pids=$(all) && [ -n "$pids" ]; do
  # shellcheck disable=SC2086 # a list of words
  kill -s KILL $pids 2>/dev/null
  tries=$((tries + 1))
  [ "$tries" -lt 40 ] || exit 1
  [ "$tries" -lt 2 ] || sleep 0.05
done
