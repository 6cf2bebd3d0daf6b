#!/bin/sh
# What a node's bird says of itself and its sessions, a line each that begins with what it is of;
# own_birds.sh is before it. Six seconds at most. The package's example is as good as none.
#   bgp.sh CONF EXAMPLE [PASSWORD]
conf=$1 example=$2 password=${3-}
lists() { # NAME COMMAND…
  name=$1
  shift
  "$@" 2>&1 </dev/null | sed "s/^/$name /"
}
command -v bird >/dev/null || echo "program absent"
if [ -e "$conf" ] && ! cmp -s "$conf" "$example"; then
  lists conf cat "$conf"
else
  echo "conf absent"
fi
all=$(birds)
one=$(printf '%s\n' "$all" | answering)
printf '%s\n' "$all" | while read -r pid line; do
  [ -n "$pid" ] || continue
  if [ "$pid" = "$one" ]; then echo "bird answers $pid $line"; else echo "bird mute $pid $line"; fi
done
said=$(ask_bird -r show status 2>&1)
[ $? != 124 ] || said="birdc waits, and bird does not answer"
case $said in
*"up and running"*)
  if unread "$conf"; then echo "unread conf"; fi
  lists loaded ask_bird -r eval deno_cni
  lists session ask_bird -r show protocols all
  lists filtered ask_bird -r show route filtered
  ;;
*)
  lists session echo "$said"
  lists parse bird -p -c "$conf"
  ;;
esac
if [ -n "$password" ]; then
  if [ ! -e "$password" ]; then
    echo "password is not there"
  elif [ "$(grep -cx '  password "..*";' "$password")" != 1 ]; then
    echo "password holds none"
  elif [ "$(stat -c %U "/proc/${one:-0}" 2>/dev/null)" = bird ] &&
    [ "$(stat -c %U "$password")" != bird ]; then
    echo "password belongs to $(stat -c %U "$password"), and bird cannot read it"
  fi
fi
lists route ip -4 route show proto bird
lists route ip -6 route show proto bird
{ cat /run/bird/bird.log || journalctl -q -u bird -n 200 -o cat; } 2>/dev/null |
  grep 'Bad peer AS' | tail -n 20 | sed 's/^/log /'
drops() { # Rules that drop what is for port 179.
  shown=
  for tool in iptables ip6tables; do
    "$tool" -w -S >/dev/null 2>&1 || continue
    shown="$shown(${tool%tables} filter)"
    "$tool" -w -S | grep -e '^-A .*ports\{0,1\} [^ ]*\b179\b.* -j \(DROP\|REJECT\)' |
      sed "s/^/rule $tool /"
  done
  # Those that iptables does not show: FAMILY TABLE CHAIN HANDLE, and the rule.
  nft -a list ruleset 2>/dev/null | awk -v shown="$shown" '
    $1 == "table" { at = $2 " " $3 }
    $1 == "chain" { chain = $2 }
    / 179[ ,}].*(drop|reject)/ && !index(shown, "(" at ")") {
      handle = $NF; sub(/ # handle [0-9]+$/, ""); sub(/^[ \t]+/, "")
      print "nft", at, chain, handle, $0
    }'
}
rules=$(drops)
[ -z "$rules" ] || echo "$rules"
# Segments that the kernel refuses for their signature (RFC 2385), or for lacking one.
md5() {
  awk '$1 != "TcpExt:" { next }
    !seen { for (i = 2; i <= NF; i++) name[i] = $i; seen = 1; next }
    { for (i = 2; i <= NF; i++) if (name[i] ~ /^TCPMD5(NotFound|Unexpected|Failure)$/) all += $i }
    END { print all + 0 }' \
    /proc/net/netstat
}
silent() { # Is there a session to which nothing comes?
  ask_bird -r show protocols 2>/dev/null | grep -e ' BGP .* start ' |
    grep -qv -e 'Connection refused' -e 'Bad peer AS' -e 'No route to host'
}
if [ -z "$rules" ] && silent; then
  from=$(md5) tries=0
  while [ "$(md5)" = "$from" ] && [ $tries -lt 30 ]; do
    tries=$((tries + 1))
    sleep 0.2
  done
  echo "md5 $(($(md5) - from))"
fi
echo end
