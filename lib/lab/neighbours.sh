#!/bin/sh
# What the machines of a lab know of each other without asking.
#
#   neighbours.sh tell LAB
#       tells every machine that runs who is on its segment
#   neighbours.sh ask LAB
#       "alive" or "absent": does each know that?
#
# Standard input has a line for each address: SEGMENT MACHINE LINK ADDRESS MAC.
set -eu
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
role=$1 lab=$2
ends=$(cat)

# All machines of this lab, a line each: PID MACHINE.
holders() {
  grep -Hsaz "^DENO_CNI_HOLDER=$lab/" /proc/[0-9]*/environ | tr '\0' '\n' |
    while IFS=/ read -r _ _ pid _ machine; do
      read -r command <"/proc/$pid/comm" || continue
      if [ -O "/proc/$pid" ] && [ "$command" = sleep ]; then echo "$pid $machine"; fi
    done 2>/dev/null
}

on_net() { # PID COMMAND…; in its network namespace, which may be of another user namespace
  at=$1
  shift
  # shellcheck disable=SC3013 # dash, bash and busybox have -ef
  if [ "/proc/$at/ns/user" -ef /proc/self/ns/user ]; then
    nsenter --net="/proc/$at/ns/net" "$@"
  else
    nsenter --target="$at" --user --preserve-credentials --net "$@"
  fi
}

# What `ip -batch` tells a machine; of extern_learn the kernel's table takes any number.
others() { # MACHINE
  echo "$ends" | busybox awk -v own="$1" '
    { at[NR] = $1; name[NR] = $2; address[NR] = $4; mac[NR] = $5 }
    $2 == own { segment = $1; link = $3 }
    END {
      for (one = 1; one <= NR; one++)
        if (link != "" && at[one] == segment && name[one] != own)
          print "neigh replace " address[one] " lladdr " mac[one] " dev " link \
            " nud stale extern_learn"
    }'
}

case $role in
tell)
  holders | while read -r pid machine; do
    others "$machine" | on_net "$pid" ip -batch - || [ ! -e "/proc/$pid" ]
  done
  ;;

ask)
  unknown=$(holders | while read -r pid machine; do
    known=$(echo && on_net "$pid" ip neigh show nud all)
    # 10.0.1.3 dev eth0 lladdr 02:dc:43:c9:f0:d4 extern_learn STALE
    others "$machine" | while read -r _ _ address _ mac _ link _; do
      case $known in
      *"
$address dev $link lladdr $mac extern_learn "*) ;;
      *) echo "$machine $address" ;;
      esac
    done
  done)
  if [ -z "$unknown" ]; then echo alive; else echo absent; fi
  ;;
esac
