#!/bin/sh
# What the faults and repairs of exercises say in a node's shell.
# POD: fails where there is none.
there() {
  [ -e "/run/netns/$1" ] || { echo "no pod $1" >&2 && return 1; }
}
# POD: the name of its host veth
veth() {
  there "$1" || return
  index=$(nsenter --net="/run/netns/$1" ip -o link show dev eth0 |
    sed 's/.*eth0@if\([0-9]*\):.*/\1/')
  ip -o link | sed -n "s/^$index: \([^:@]*\)[:@].*/\1/p"
}
# POD: its IPv4 address
address() {
  there "$1" || return
  nsenter --net="/run/netns/$1" ip -o -4 addr show dev eth0 |
    sed 's/.* inet \([0-9.]*\).*/\1/'
}
# POD COMMAND…: the command in the pod
inside() {
  there "$1" || return
  pod=$1
  shift
  nsenter --net="/run/netns/$pod" "$@"
}
