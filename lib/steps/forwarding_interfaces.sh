#!/bin/sh
# ask|set BRIDGE PROTOCOL ADDRESS...: whether each interface on pods' way forwards what
# comes in by it, and `default`, with which interfaces begin; set: those that do not begin to.
what=$1 bridge=$2 protocol=$3
shift 3
interfaces() {
  echo all
  echo default
  echo "$bridge"
  for address; do ip -o -4 addr show to "$address" | cut -d' ' -f2; done
  { ip -4 route show default; ip -4 route show proto "$protocol"; } |
    sed -n 's/.* dev \([^ ]*\).*/\1/p'
}
interfaces "$@" | sort -u | while IFS= read -r name; do
  file=/proc/sys/net/ipv4/conf/$name/forwarding
  [ -e "$file" ] || continue
  if [ "$what" = ask ]; then
    echo "$name $(cat "$file")"
  elif [ "$(cat "$file")" = 0 ]; then
    sysctl -w "net/ipv4/conf/$name/forwarding=1" || exit
  fi
done
