#!/bin/sh
# ask|set|reset BRIDGE FILE ADDRESS...: the interfaces that have an IPv6 route or
# address by router advertisement, those that FILE names, and, on a node without
# an IPv6 default route, those that have one of these addresses.
# ask prints of each its name, its accept_ra, whether that can be written, and
# whether FILE has it. set: those at 1 go to 2, and into FILE.
# reset: those of FILE go back to 1, and FILE is removed.
what=$1 bridge=$2 file=$3
shift 3
kept() {
  [ ! -e "$file" ] || sed -n 's,^net/ipv6/conf/\(.*\)/accept_ra = 2$,\1,p' "$file"
}
interfaces() {
  {
    ip -6 route show table all proto ra | sed -n 's/.* dev \([^ ]*\).*/\1/p'
    ip -6 -o addr show dynamic | grep -e mngtmpaddr -e kernel_ra | cut -d' ' -f2
    kept
    [ -n "$(ip -6 route show default)" ] ||
      for address; do ip -6 -o addr show to "$address" | cut -d' ' -f2; done
  } | sort -u | grep -Fxv -e "$bridge" | while IFS= read -r name; do
    [ ! -e "/proc/sys/net/ipv6/conf/$name/accept_ra" ] || echo "$name"
  done
}
each() { # VALUE NEW, names on stdin: those that have VALUE get NEW
  while IFS= read -r name; do
    setting=/proc/sys/net/ipv6/conf/$name/accept_ra
    if [ -e "$setting" ] && [ "$(cat "$setting")" = "$1" ]; then
      sysctl -w "net/ipv6/conf/$name/accept_ra=$2" || exit
    fi
  done
}
case $what in
ask)
  interfaces "$@" | while IFS= read -r name; do
    setting=/proc/sys/net/ipv6/conf/$name/accept_ra writable=no keeps=no
    [ ! -w "$setting" ] || writable=yes
    ! kept | grep -Fxq -e "$name" || keeps=yes
    echo "$name $(cat "$setting") $writable $keeps"
  done
  ;;
set)
  names=$(interfaces "$@" | while IFS= read -r name; do
    if [ "$(cat "/proc/sys/net/ipv6/conf/$name/accept_ra")" = 1 ]; then echo "$name"; fi
  done)
  [ -n "$names" ] || exit 0
  lines=$({ kept; echo "$names"; } | sort -u | sed 's,.*,net/ipv6/conf/&/accept_ra = 2,')
  mkdir -p "${file%/*}"
  printf '# deno-cni: routers of the network are heeded though the node forwards\n%s\n' "$lines" \
    >"$file.new"
  echo "$names" | each 1 2 || { echo "$names" | each 2 1; rm "$file.new"; exit 1; }
  mv -f "$file.new" "$file"
  ;;
reset)
  kept | each 2 1
  rm -f "$file" "$file.new"
  ;;
esac
