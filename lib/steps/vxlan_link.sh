#!/bin/sh
# LINK PORT: a tunnels' link as the kernel has it and, where it is absent or down, what may be
# in its way, a line each. Exit code and errors are those of the question for the link.
link=$(ip -j -d link show dev "$1")
code=$?
printf 'link %s\n' "$link"
case $link in *'"UP"'*) exit "$code" ;; esac
{
  printf 'vxlans %s\n' "$(ip -j -d link show type vxlan)"
  # A link that was moved keeps its place in the namespace that it was made in.
  ip netns list | while read -r name _; do
    moved=$(ip -n "$name" -j -d link show type vxlan)
    case $moved in *'"link_netnsid"'*) printf 'moved %s %s\n' "$name" "$moved" ;; esac
  done
  ss -Hlunp "sport = :$2" | sed 's/^/socket /'
} 2>/dev/null
exit "$code"
