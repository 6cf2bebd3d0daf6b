#!/bin/sh
# Looks every few seconds at what the kernel tells nobody of, and prints the name of
# what is otherwise than before. SECONDS BRIDGE MARK
# An empty line at each look: where nothing reads them any more, it ends.
seconds=$1 bridge=$2 mark=$3
legacy=
case $(iptables -V 2>/dev/null) in *legacy*) legacy=yes ;; esac

value() { # FILE...: those that are there, with the digit that they hold
  for file; do
    held=
    # Of a setting, the kernel gives a shell the first byte, and no end of line.
    { read -r held <"$file"; } 2>/dev/null
    seen="$seen $held"
  done
}
settings() {
  value /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding \
    /proc/sys/net/bridge/bridge-nf-call-iptables \
    /proc/sys/net/bridge/bridge-nf-call-ip6tables \
    "/proc/sys/net/ipv4/conf/$bridge/accept_redirects" \
    "/proc/sys/net/ipv4/conf/$bridge/accept_source_route" \
    "/proc/sys/net/ipv6/conf/$bridge/accept_redirects" \
    "/proc/sys/net/ipv6/conf/$bridge/accept_source_route" \
    "/proc/sys/net/ipv6/conf/$bridge/disable_ipv6"
  for folder in /proc/sys/net/ipv6/conf/*; do
    case $folder in */veth*) ;; *) value "$folder/accept_ra" ;; esac
  done
}
pods() { # veths that are a port of no bridge
  for link in /sys/class/net/veth*; do
    [ ! -e "$link" ] || [ -e "$link/master" ] || seen="$seen ${link##*/}"
  done
}
files() {
  seen=$(stat -c '%n %i %Y %s %a' /etc/cni/net.d/*deno-cni.conflist /opt/cni/bin/deno-cni \
    /opt/cni/bin/portmap /opt/cni/bin/loopback /opt/cni/lib/deno-cni/* /etc/deno-cni/boot.sh \
    /etc/deno-cni/boot.d/* \
    /etc/systemd/system/deno-cni*.service /etc/bird/bird.conf /etc/bird/deno-cni.password \
    2>/dev/null)
}
speaker() { # of BGP, where stage 08 wrote what it reads
  { read -r head </etc/bird/bird.conf; } 2>/dev/null || return 0
  case $head in "# $mark: "*) birdc -r show status >/dev/null 2>&1; seen=$? ;; esac
}
rules() { # of the legacy iptables; nft tells of the others
  [ -n "$legacy" ] || return 0
  for tool in iptables ip6tables; do
    for place in "filter -S FORWARD" "nat -S POSTROUTING"; do
      # shellcheck disable=SC2086 # Two words and a name.
      all=$("$tool" -w 2 -t $place 2>/dev/null) || { seen=$rules; return; } # not to be told now
      seen="$seen $(printf '%s\n' "$all" | grep -F -- "--comment $mark")"
    done
  done
}

# shellcheck disable=SC2034,SC2154 # They are read by eval, and before is set by it.
settings='' pods='' files='' speaker='' rules='' first=yes
while echo; do
  # shellcheck disable=SC2154
  for what in settings pods files speaker rules; do
    seen=
    "$what"
    eval "before=\$$what"
    [ "$seen" = "$before" ] || [ -n "$first" ] || echo "$what"
    eval "$what=\$seen"
  done
  first=
  # It outlives a shell that is killed, and would hold what is read from it.
  sleep "$seconds" >/dev/null 2>&1
done
