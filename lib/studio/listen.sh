#!/bin/sh
# Prints what the kernel announces of links, addresses, routes, rules and settings, until its
# input ends.
exec 3<&0 </dev/null
ip monitor link address route rule netconf all-nsid &
monitors=$!
if command -v nft >/dev/null; then
  nft monitor &
  monitors="$monitors $!"
fi
cat <&3 >/dev/null
# shellcheck disable=SC2086 # a list of words
kill $monitors
