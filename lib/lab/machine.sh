#!/bin/sh
# A machine of a lab: its birth, and the way into it. At a birth this file makes
# new namespaces and runs itself again inside them; that inner run sets the
# machine up, says "ready" and becomes the process that holds the namespaces.
#
#   machine.sh outside LAB NAME CIDRS MAC ADDRESSES [MTU ROUTES]
#       the host outside the cluster, and the segment: a bridge of its
#   machine.sh router LAB NAME CIDRS GATEWAYS MAC PORT PORT_MAC MACHINE BRIDGE MTU
#       {BRIDGE MAC MTU CIDRS}…
#       a router, plugged in as a node is, and more segments: bridges of its,
#       into which it is plugged too, as eth1, eth2 …
#   machine.sh node LAB NAME CIDRS GATEWAYS MAC PORT PORT_MAC MACHINE
#       [BRIDGE MTU ROUTES]
#       a node, plugged into the port PORT of the segment that is the bridge
#       BRIDGE (left out, "segment") of the machine MACHINE
#   machine.sh ask LAB NAME LINK
#       "alive" or "absent": does it run, and has it its link?
#   machine.sh enter LAB NAME COMMAND…
#       runs a command on it
#
# CIDRS, GATEWAYS and ADDRESSES are one for each family, with a comma between;
# ROUTES are CIDR@GATEWAY, with a comma between.
set -eu
umask 022
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
role=$1 lab=$2 name=$3
shift

fail() {
  echo "$*" >&2
  exit 1
}

# The process that holds a machine of this lab; nothing when there is none.
holder() {
  grep -lszxF -e "DENO_CNI_HOLDER=$lab/$1" /proc/[0-9]*/environ |
    while IFS=/ read -r _ _ pid _; do
      if [ -O "/proc/$pid" ] && [ "$(cat "/proc/$pid/comm")" = sleep ]; then
        echo "$pid"
        break
      fi
    done
}

same_user() { # PID; whether it is in this process's user namespace
  [ "$(readlink "/proc/$1/ns/user")" = "$(readlink /proc/self/ns/user)" ]
}

has_link() { # PID LINK
  grep -qs "^ *$2:" "/proc/$1/net/dev"
}

# What a birth or a death that was cut off left behind.
clear_ruins() {
  {
    grep -lszxF -e "DENO_CNI_HOLDER=$lab/$name" -e "DENO_CNI_NODE=$lab/$name" /proc/[0-9]*/environ
    grep -lsF " - tmpfs deno-cni:$lab/$name " /proc/[0-9]*/mountinfo
  } | while IFS=/ read -r _ _ pid _; do
    kill -KILL "$pid" 2>/dev/null || :
  done
}

check_programs() {
  for program in "$@"; do
    command -v "${program%:*}" >/dev/null ||
      fail "$name: ${program%:*} is not installed on this machine: apt-get install ${program#*:}"
  done
}

# Only root makes namespaces without a user namespace around them.
check_namespaces() {
  if [ "$(id -u)" = 0 ]; then
    why=$(unshare --net --mount --uts true 2>&1) && return
    case $why in *"root filesystem propagation"*)
      fail "the root of this chroot is not a mount point: mount --bind DIR DIR, then chroot DIR" ;;
    esac
    fail "root may not make namespaces here ($why): in a container, it wants --privileged"
  fi
  why=$(unshare --user --map-root-user --net --mount --uts true 2>&1) && return
  for setting in \
    kernel.apparmor_restrict_unprivileged_userns=1:0 \
    kernel.unprivileged_userns_clone=0:1 \
    user.max_user_namespaces=0:10000; do
    key=${setting%=*} values=${setting#*=}
    file=/proc/sys/$(echo "$key" | tr . /)
    [ "$(cat "$file" 2>/dev/null)" = "${values%:*}" ] || continue
    fail "a lab without root needs user namespaces, which $key=${values%:*} forbids: use sudo" \
      "(or: sudo sysctl -w $key=${values#*:})"
  done
  fail "a lab without root needs user namespaces, which are refused here ($why): use sudo"
}

# Runs this file again in what the given command makes; back when it is ready.
start() {
  said=$(env -i PATH="$PATH" HOME=/run/home LANG=C \
    DENO_CNI_LAB="$lab" DENO_CNI_HOLDER="$lab/$name" \
    "$@" 9<&- &)
  [ "$said" = ready ] || fail "$name: not made; the lines above say why"
}

# Nothing that is written below these folders reaches the machine's disk: the
# upper layers lie in a tmpfs whose name marks every mount namespace of the lab.
disk() {
  mount -t tmpfs -o mode=755 "deno-cni:$lab/$name" /run
  options=
  # Without root in the first user namespace, trusted.* attributes are refused.
  [ "$(tr -s ' ' </proc/self/uid_map)" = " 0 0 4294967295" ] || options=,userxattr
  layers="etc:/etc opt:/opt var:/var lib:/var/lib sysctl:/etc/sysctl.d modules:/etc/modules-load.d"
  # All are mounted before the first one moves into place, so that none is the
  # lower layer of another: the kernel stacks two at most.
  for layer in $layers; do
    at=/run/${layer%%:*} path=${layer#*:}
    [ -d "$path" ] || continue
    mkdir "$at" "$at/upper" "$at/work" "$at/merged"
    mount -t overlay -o "lowerdir=$path,upperdir=$at/upper,workdir=$at/work$options" \
      overlay "$at/merged"
  done
  for layer in $layers; do
    at=/run/${layer%%:*} path=${layer#*:}
    [ ! -d "$at" ] || mount --move "$at/merged" "$path"
  done
  # What the machine has here must not be seen, and without root not even an
  # overlay can be written below a folder of root's.
  for path in /etc/cni /opt/cni /var/lib/cni /var/lib/deno-cni; do
    [ -d "$path" ] || continue
    mkdir -p "/run/fresh$path"
    mount --bind "/run/fresh$path" "$path"
  done
  # The network namespace's own links under /sys/class/net, and the cgroups
  # that a new sysfs hides. Where that is refused the machine's /sys remains.
  mkdir /run/sys
  if mount -t sysfs sysfs /run/sys 2>/dev/null; then
    [ ! -d /sys/fs/cgroup ] || mount --rbind /sys/fs/cgroup /run/sys/fs/cgroup
    mount --move /run/sys /sys
  fi
  mkdir /run/run /run/run/home /run/run/lock /run/run/netns
  mount --bind /run/run /run
}

setting() { # NAME VALUE; one that the kernel does not have is left out
  [ ! -e "/proc/sys/net/$1" ] || echo "$2" >"/proc/sys/net/$1"
}

network_settings() { # FORWARD BRIDGE_NF RP_FILTER
  setting ipv4/ip_forward "$1"
  setting bridge/bridge-nf-call-iptables "$2"
  setting ipv6/conf/all/forwarding "$1"
  setting bridge/bridge-nf-call-ip6tables "$2"
  for which in all default; do
    setting "ipv4/conf/$which/rp_filter" "$3"
  done
}

# Addresses and routes as `ip -batch` reads them, a line for each of a list.
addresses() { # LINK CIDRS
  for cidr in $(echo "$2" | tr , ' '); do
    case $cidr in
    # No other machine can have it: no need to ask, and to wait for no answer.
    *:*) echo "addr add $cidr dev $1 nodad" ;;
    *) echo "addr add $cidr dev $1" ;;
    esac
  done
}

default_routes() { # GATEWAYS
  echo "$1" | tr , '\n' | sed 's/^/route add default via /'
}

routes() { # ROUTES
  echo "$1" | tr , '\n' | sed -n 's/\(.*\)@\(.*\)/route add \1 via \2/p'
}

# A segment of this machine's own, and its link there. A bridge that is itself the
# link takes a tunnel's packets apart before it sends them (it has no hw_enc_features).
own_segment() { # LINK BRIDGE MAC MTU CIDRS
  echo "link add $2 mtu $4 up type bridge"
  echo "link add $1 address $3 mtu $4 type veth peer name port-$1 mtu $4"
  echo "link set port-$1 master $2 up"
  addresses "$1" "$5"
  echo "link set $1 up"
}

# Plugs this machine into a segment; PID is the process of the machine that has it.
plug() { # PID BRIDGE MTU CIDRS MAC PORT PORT_MAC
  # The kernel takes its time to clear away the links of a node that died.
  if has_link "$1" "$6"; then
    nsenter --net="/proc/$1/ns/net" ip link del dev "$6" || :
  fi
  nsenter --net="/proc/$1/ns/net" \
    ip link add name "$6" address "$7" master "$2" mtu "$3" up \
    type veth peer name eth0 address "$5" mtu "$3" netns "/proc/$$/ns/net"
  ip -batch - <<END
link set lo up
$(addresses eth0 "$4")
link set eth0 up
END
}

# Ready only when the holder can be told from this shell.
hold() {
  cd /
  setsid sleep infinity </dev/null >/dev/null 2>&1 &
  until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done
  echo ready
}

case $role in
ask)
  pid=$(holder "$name")
  if [ -n "$pid" ] && has_link "$pid" "$3"; then echo alive; else echo absent; fi
  ;;

enter)
  pid=$(holder "$name")
  [ -n "$pid" ] || fail "$name: not running: make 01-provision"
  shift 2
  set -- --net --mount --uts --root --wd env -i PATH="$PATH" HOME=/run/home LANG=C \
    DENO_CNI_LAB="$lab" DENO_CNI_NODE="$lab/$name" "$@"
  same_user "$pid" || set -- --user --preserve-credentials "$@"
  # --root: that of the mount namespace is another one in a chroot.
  exec nsenter --target="$pid" "$@"
  ;;

outside)
  check_programs flock:util-linux unshare:util-linux ip:iproute2 hostname:hostname
  exec 9<"$0"
  flock 9 # One birth at a time.
  check_namespaces
  clear_ruins
  set -- --net --mount --uts --propagation private sh "$0" "inside-$role" "$@"
  [ "$(id -u)" = 0 ] || set -- --user --map-root-user "$@"
  start unshare "$@"
  ;;

inside-outside)
  mac=$4
  hostname "$name"
  sh "${0%/*}/fresh_settings.sh"
  disk
  network_settings 1 0 0
  ip -batch - <<END
link set lo up
$(addresses lo "$5")
link add segment address $mac mtu ${6:-1500} type bridge
$(addresses segment "$3")
link set segment up
$(routes "${7:-}")
END
  hold
  ;;

node | router)
  check_programs flock:util-linux unshare:util-linux ip:iproute2 hostname:hostname iptables:iptables
  exec 9<"$0"
  flock 9
  clear_ruins
  near=$(holder "$8")
  [ -n "$near" ] || fail "$name: the segment that it plugs into is not running: run 01-provision"
  set -- unshare --net --mount --uts --propagation private sh "$0" "inside-$role" "$@"
  same_user "$near" || set -- nsenter --target="$near" --user --preserve-credentials "$@"
  set -- env SEGMENT_PID="$near" "$@"
  start "$@"
  ;;

inside-node)
  hostname "$name"
  sh "${0%/*}/fresh_settings.sh"
  disk
  # As a machine with Docker on it: it does not forward, and asks iptables about bridged frames too.
  network_settings 0 1 2
  iptables -w -t filter -P FORWARD DROP
  case $3 in *:*) ip6tables -w -t filter -P FORWARD DROP ;; esac
  plug "$SEGMENT_PID" "${9:-segment}" "${10:-1500}" "$3" "$5" "$6" "$7"
  ip -batch - <<END
$(default_routes "$4")
$(routes "${11:-}")
END
  hold
  ;;

inside-router)
  hostname "$name"
  sh "${0%/*}/fresh_settings.sh"
  disk
  network_settings 1 0 0
  plug "$SEGMENT_PID" "$9" "${10}" "$3" "$5" "$6" "$7"
  default_routes "$4" | ip -batch -
  shift 10
  for at in $(seq $(($# / 4))); do
    own_segment "eth$at" "$@" | ip -batch -
    shift 4
  done
  hold
  ;;

*)
  fail "machine.sh $role: expected outside, router, node, ask or enter"
  ;;
esac
