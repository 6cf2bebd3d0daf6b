#!/bin/sh
# LIMIT BRIEF PAGE URLS...: a line for each call: wget's exit code, the URL, what was said.
limit=$1 brief=$2 page=$3; shift 3
end='
'
# A line that was cut short has no end, and is left out.
said=
[ $# -lt 2 ] || said=$(timeout "$brief" busybox wget -qO- "$@" 2>/dev/null; echo .)
while [ $# -gt 0 ]; do
  line=${said%%"$end"*}
  case $said in *"$end"*) said=${said#*"$end"} ;; *) break ;; esac
  case $line in '' | *[!][0-9a-f.:]*) [ "$line" = "$page" ] || break ;; esac
  printf '0 %s %s\n' "$1" "$line"; shift
done
for url; do
  {
    said=$(timeout "$limit" busybox wget -qO- "$url" 2>&1)
    printf '%s %s %s\n' "$?" "$url" "$said"
  } &
done
wait
