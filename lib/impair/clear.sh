#!/bin/sh
# LINK HANDLE TABLE: takes away what impairs a link, as far as it is ours.
if tc qdisc show dev "$1" | grep -q " $2 root"; then
  tc qdisc del dev "$1" root || exit
fi
if nft list table inet "$3" >/dev/null 2>&1; then nft delete table inet "$3"; fi
