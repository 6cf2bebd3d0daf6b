#!/bin/bash
# A CNI plugin of the kind that tutorials write: bash, ip, and a file of the
# addresses taken. For the bench alone, to show what forks cost; it has no
# errors, no lock, no CHECK.
set -e
config=$(cat)
value() { echo "$config" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
subnet=$(value subnet)
prefix=$(echo "$subnet" | cut -d. -f1-3)
taken=/run/shell-plugin
ns="nsenter --net=$CNI_NETNS"
case $CNI_COMMAND in
ADD)
  touch $taken
  for last in $(seq 2 254); do
    grep -qw "$prefix.$last" $taken || break
  done
  ip=$prefix.$last
  echo "$ip" >> $taken
  if ! ip link show shell0 > /dev/null 2>&1; then
    ip link add shell0 type bridge
    ip addr add "$prefix.1/24" dev shell0
    ip link set shell0 up
  fi
  host=veth$(echo "$CNI_CONTAINERID" | md5sum | cut -c1-8)
  ip link add "$host" type veth peer name tmp0
  ip link set "$host" up master shell0
  ip link set tmp0 netns "$CNI_NETNS"
  $ns ip link set tmp0 name "$CNI_IFNAME"
  $ns ip link set "$CNI_IFNAME" up
  $ns ip addr add "$ip/24" dev "$CNI_IFNAME"
  $ns ip route add default via "$prefix.1"
  mac=$($ns ip link show "$CNI_IFNAME" | awk '/ether/ {print $2}')
  cat <<END
{"cniVersion":"0.3.1",
"interfaces":[{"name":"$CNI_IFNAME","mac":"$mac","sandbox":"$CNI_NETNS"}],
"ips":[{"version":"4","address":"$ip/24","gateway":"$prefix.1","interface":0}]}
END
  ;;
DEL)
  ip=$($ns ip addr show "$CNI_IFNAME" | awk '/inet / {print $2}' | cut -d/ -f1)
  $ns ip link del "$CNI_IFNAME"
  sed -i "/^$ip\$/d" $taken
  ;;
esac
