#!/bin/sh
# LINK PORT END…: a node's end of the tunnels, and whether the far ENDs answer, a line each.
link=$1 port=$2
shift 2
checksums() { # WHEN: the packets that came with a wrong checksum, so far
  grep -hs -e '^Udp:' -e '^Udp6InCsumErrors' /proc/net/snmp /proc/net/snmp6 | sed "s/^/$1 /"
}
lists() { # NAME COMMAND…
  name=$1
  shift
  printf '%s %s\n' "$name" "$("$@" 2>/dev/null | tr -d '\n')"
}
lists link ip -j -d link show dev "$link"
lists neighbours ip -j neigh show dev "$link" nud permanent
lists entries bridge -j fdb show dev "$link"
for tool in iptables ip6tables; do
  "$tool" -w -S 2>/dev/null | grep -e "^-A \(INPUT\|OUTPUT\) .*port $port .*-j \(DROP\|REJECT\)" |
    sed "s/^/rule $tool /"
done
checksums before
# Nothing listens there: a "no" is an answer. One process tries all of them in turn, as long as they
# answer; of many nodes' many ends, a process each and all at once would be too late for any limit.
# shellcheck disable=SC2016 # a program for the other shell
answered=$(LC_ALL=C timeout 2 bash -c '
  for end; do : </dev/tcp/$end/1 && echo "/dev/tcp/$end/1: Connection refused"; done' try "$@" 2>&1)
for end; do
  case $answered in *"/dev/tcp/$end/1: Connection refused"*) continue ;; esac
  # Of TCP a card may make what it does of no ping.
  { timeout 2 bash -c ": </dev/tcp/$end/1" >/dev/null 2>&1; [ $? != 124 ] || echo "mute $end"; } &
  { ping -c 1 -W 2 -q "$end" >/dev/null 2>&1 && echo "answers $end" || echo "silent $end"; } &
done
wait
checksums after
