#!/bin/sh
# Functions that find the birds of a machine, and ask the one that it has.
# shellcheck disable=SC3013 # Every sh of today knows -ef.
# birdc, which waits for good where bird hangs.
ask_bird() { timeout 5 birdc "$@"; }
# The processes of any bird that speaks for this machine, PID and command line a line each.
birds() {
  for at in /proc/[0-9]*; do
    name=
    { read -r name <"$at/comm"; } 2>/dev/null || continue
    if [ "$name" = bird ] && [ "$at/ns/net" -ef /proc/self/ns/net ]; then
      echo "${at#/proc/} $(tr '\0' ' ' <"$at/cmdline")"
    fi
  done
}
# Of these, the process of the bird that answers birdc. ss -p would look at all processes for it.
answering() { # lines of birds on stdin
  # shellcheck disable=SC2046 # The sixth word is the socket's number.
  set -- $(ss -Hxl 'src = unix:/run/bird/bird.ctl' 2>/dev/null)
  [ -n "${6-}" ] || return 0
  while read -r pid _; do
    case $(ls -l "/proc/$pid/fd" 2>/dev/null) in *"socket:[$6]"*) echo "$pid" ;; esac
  done
}
# Whether a file is newer than what bird has read.
unread() { # FILE
  [ -e "$1" ] || return 1
  read_at=$(ask_bird -r show status 2>/dev/null | sed -n 's/^Last reconfiguration on //p')
  read_ms=$(date -d "$read_at" +%s%3N 2>/dev/null)
  case $read_ms in *[!0-9]* | '') return 1 ;; esac
  [ "$(stat -c %.3Y "$1" | tr -d .)" -gt "$read_ms" ]
}
