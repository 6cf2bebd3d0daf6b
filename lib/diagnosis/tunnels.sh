#!/bin/sh
# ASK LINK PORT OVERHEAD LOCAL OUTERS END…: a node's end of the tunnels, by the program ASK, and
# whether the far ENDs answer, a line each; of those that do, whether they get a packet as long
# as the link takes. LOCAL is the node's own address, OUTERS has END=ADDRESS of each far node.
ask=$1 link=$2 port=$3 overhead=$4 local=$5 outers=$6
shift 6
checksums() { # WHEN: the packets that came with a wrong checksum, so far
  grep -hs -e '^Udp:' -e '^Udp6InCsumErrors' /proc/net/snmp /proc/net/snmp6 | sed "s/^/$1 /"
}
lists() { # NAME COMMAND…
  name=$1
  shift
  printf '%s %s\n' "$name" "$("$@" 2>/dev/null | tr -d '\n')"
}
sh -c "$ask" ask "$link" "$port" 2>/dev/null
lists addresses ip -j addr show dev "$link"
lists neighbours ip -j neigh show dev "$link" nud permanent
lists entries bridge -j fdb show dev "$link"
for tool in iptables ip6tables; do
  "$tool" -w -S 2>/dev/null | grep -e "^-A \(INPUT\|OUTPUT\) .*port $port .*-j \(DROP\|REJECT\)" |
    sed "s/^/rule $tool /"
done
dropped() { # what iptables has dropped so far: PROGRAM TABLE PACKETS, and the rule or the policy
  for tool in iptables ip6tables; do
    "$tool-save" -c 2>/dev/null | awk -v tool="$tool" '
      /^\*/ { table = substr($1, 2) }
      /^:(INPUT|OUTPUT|PREROUTING) DROP / {
        count = substr($3, 2); rule = "-P " substr($1, 2) " DROP"
      }
      /^\[.* -j (DROP|REJECT)/ && !/ -A FORWARD / && !/ -p (tcp|icmp|ipv6-icmp) / {
        count = substr($1, 2); rule = substr($0, index($0, " ") + 1)
      }
      rule != "" { sub(/:.*/, "", count); print tool, table, count, rule; rule = "" }'
  done
}
before=
checksums before
# Nothing listens there: a "no" is an answer. One process tries all of them in turn, as long as they
# answer; of many nodes' many ends, a process each and all at once would be too late for any limit.
# shellcheck disable=SC2016 # a program for the other shell
answered=$(LC_ALL=C timeout 2 bash -c '
  for end; do : </dev/tcp/$end/1 && echo "/dev/tcp/$end/1: Connection refused"; done' try "$@" 2>&1)
mtu=$(ip -o link show dev "$link" 2>/dev/null | sed 's/.* mtu \([0-9]*\) .*/\1/')
gets() { # END BYTES: whether a packet of that length gets there, and one back
  case $1 in *:*) headers=48 ;; *) headers=28 ;; esac
  timeout 2 ping -c 2 -i 0.2 -W 1 -q -M "do" -s $(($2 - headers)) "$1" >/dev/null 2>&1
}
long() { # END: what of it gets there where a packet of full length does not
  gets "$1" "$mtu"
  # Another code than 1 is ping's own trouble; 124 is the time that has run out.
  case $? in 1 | 124) ;; *) return ;; esac
  for outer in 1492 1480 1460 1450 1440 1420 1400 1380 1360 1340 1300 1280; do
    bytes=$((outer - overhead))
    [ "$bytes" -ge "$mtu" ] || { gets "$1" "$bytes" && echo "passes $1 $outer"; } &
  done
  wait
  # Short ones first: a far end that does not answer at all is silent, and not narrow.
  gets "$1" 100 || return
  # A busy machine loses pings too.
  ! gets "$1" "$mtu" || return
  echo "narrow $1 $mtu"
  # What it was told by a router, the kernel remembers for ten minutes.
  ip route get "$1" | sed -n "s/.* mtu \([0-9]*\).*/remembers $1 \1/p"
}
silent() { # END: it does not answer; by which routes its packets go, then, and the tunnel's
  echo "silent $1"
  printf 'inner %s %s\n' "$1" "$(ip -j route get fibmatch "$1" 2>&1 | tr -d '\n')"
  for outer in $outers; do
    [ "${outer%%=*}" = "$1" ] || continue
    printf 'outer %s %s\n' "$1" "$(ip -j route get fibmatch "${outer#*=}" from "$local" \
      ipproto udp dport "$port" 2>&1 | tr -d '\n')"
  done
}
tried=0
for end; do
  case $answered in *"/dev/tcp/$end/1: Connection refused"*)
    # Of many far ends, some: a process each for all of them would be too late for any limit.
    tried=$((tried + 1))
    [ "$tried" -gt 32 ] || [ -z "$mtu" ] || long "$end" &
    continue
    ;;
  esac
  [ -n "$before" ] || before=$(dropped && echo .)
  # Of TCP a card may make what it does of no ping.
  { timeout 2 bash -c ": </dev/tcp/$end/1" >/dev/null 2>&1; [ $? != 124 ] || echo "mute $end"; } &
  if ping -c 1 -W 2 -q "$end" >/dev/null 2>&1; then echo "answers $end"
  else silent "$end"; fi &
done
wait
if [ -n "$before" ]; then
  case $local in *:*) tool=ip6tables ;; *) tool=iptables ;; esac
  for table in raw mangle filter; do
    "$tool" -w -t "$table" -S 2>/dev/null | sed "s/^/chain $tool $table /"
  done
  # One packet may be anybody's; what was called for here is two at least.
  { echo "$before" && dropped; } | awk '
    { count = $3; $3 = ""; if ($0 in first && count - first[$0] > 1) {
      rule = $0; sub(/  /, " ", rule); print "drops", rule } else first[$0] = count }'
  nft -a list ruleset 2>/dev/null | awk -v port="$port" '
    $1 == "table" {
      table = $2 " " $3; own = $3 ~ /^(filter|nat|mangle|raw|security)$/ && $2 != "inet"
    }
    $1 == "chain" { chain = $2; hook = "" }
    $1 == "type" && / hook (prerouting|input|output) / && !own {
      hook = 1; policy = / policy drop;/
    }
    hook && $0 ~ "[^0-9]" port "[^0-9]" && / accept( |$)/ { policy = 0 }
    hook && $0 ~ "[^0-9]" port "[^0-9]" && /udp/ && / (drop|reject)/ {
      handle = $NF; rule = $0; sub(/ # handle .*/, "", rule); sub(/^[ \t]*/, "", rule)
      print "nft", table, chain, handle, rule }
    $1 == "}" { if (hook && policy) print "nft", table, chain, "policy"; hook = policy = 0 }'
fi
checksums after
