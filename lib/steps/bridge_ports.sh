#!/bin/sh
# ask|plug BRIDGE HAIRPIN PREFIX...: the host veths whose alias begins with one
# of these and which are a port of no bridge. ask prints their names; plug makes
# them ports of BRIDGE, in hairpin mode where HAIRPIN is on.
todo=$1 bridge=$2 hairpin=$3
shift 3
veths=$(ip -o link show type veth) || exit
printf '%s\n' "$veths" | while read -r _ name rest; do
  name=${name%%[:@]*} alias=${rest#*'\    alias '}
  case $rest in *' master '*'\    link'*) continue ;; esac
  for prefix; do
    case $alias in
    "$rest") ;;
    "$prefix"*)
      if [ "$todo" = ask ]; then
        echo "$name"
      else
        ip link set "$name" master "$bridge" &&
          ip link set "$name" type bridge_slave hairpin "$hairpin" || exit
      fi
      ;;
    esac
  done
done
