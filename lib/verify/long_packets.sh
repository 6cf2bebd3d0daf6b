#!/bin/sh
# ADDRESS…: from within a pod, whether packets of full length get there where short ones do; a line
# for each that loses them. busybox is all that a test pod's image has.
mtu=$(busybox ip -o link show dev eth0 | busybox sed 's/.* mtu \([0-9]*\) .*/\1/')
case $mtu in '' | *[!0-9]*) exit 0 ;; esac
gets() { # ADDRESS PAYLOAD TIMES
  busybox timeout $(($3 + 1)) busybox ping -q -c "$3" -W 1 -s "$2" "$1" >/dev/null 2>&1
}
for to; do
  case $to in *:*) headers=48 ;; *) headers=28 ;; esac
  payload=$((mtu - headers))
  # A machine that is busy loses one; three in a row, and none of the short ones, it does not.
  {
    gets "$to" "$payload" 1 || gets "$to" "$payload" 3 || ! gets "$to" 56 2 ||
      gets "$to" "$payload" 2 || echo "lost $to $mtu $payload"
  } &
done
wait
