#!/bin/sh
# What the faults and repairs of exercises say in a node's shell.
# POD: the name of its host veth
veth() {
  index=$(nsenter --net="/run/netns/$1" ip -o link show dev eth0 |
    sed 's/.*eth0@if\([0-9]*\):.*/\1/')
  ip -o link | sed -n "s/^$index: \([^:@]*\)[:@].*/\1/p"
}
# POD: its IPv4 address
address() {
  nsenter --net="/run/netns/$1" ip -o -4 addr show dev eth0 |
    sed 's/.* inet \([0-9.]*\).*/\1/'
}
# POD COMMAND…: the command in the pod
inside() {
  pod=$1
  shift
  nsenter --net="/run/netns/$pod" "$@"
}
