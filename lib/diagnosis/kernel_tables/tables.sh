#!/bin/sh
# [own]: how full the kernel's tables are that are one for many, in parts; own: those alone that
# each network namespace has, for a look at all processes and neighbours takes its time.
# /proc/net/stat has those of the first network namespace alone; netlink tells everywhere.
which=$1
# Those that nothing asks for, and for which there is no bound (net/core/neighbour.c).
unbounded() { # FAMILY
  echo "$1 $(ip "-$1" neigh show nud all 2>/dev/null | grep -c -e extern_learn -e PERMANENT)"
}
if [ "$which" != own ]; then
  part neighbours; ip -s ntable show 2>/dev/null | grep -B 1 -A 12 thresh1
  part unbounded; unbounded 4; unbounded 6
fi
part values
grep -Hs . /proc/sys/net/netfilter/nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max \
  /proc/sys/net/netfilter/nf_conntrack_expect_max \
  /proc/sys/fs/file-nr /proc/loadavg /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max \
  /proc/sys/fs/inotify/max_user_instances /proc/sys/fs/inotify/max_user_watches \
  /proc/sys/net/ipv4/ip_local_port_range /proc/sys/net/ipv4/ipfrag_high_thresh \
  /proc/sys/net/ipv6/ip6frag_high_thresh /proc/sys/net/ipv6/route/max_size /proc/net/rt6_stats
part expected; grep -c . /proc/net/nf_conntrack_expect 2>/dev/null
part tracked; cat /proc/net/stat/nf_conntrack 2>/dev/null
part sockets; cat /proc/net/sockstat /proc/net/sockstat6 2>/dev/null
part ports
for ports in /sys/class/net/*/brif; do
  set -- "$ports"/*
  bridge=${ports%/brif}
  [ ! -e "$1" ] || echo "${bridge##*/} $#"
done
part bridges; ip -d link show type bridge 2>/dev/null
if [ "$which" != own ]; then
  # Of each watcher its user, then how many watches it has (proc(5), fdinfo).
  watchers=$(find /proc/[0-9]*/fd -lname anon_inode:inotify -printf '%U %h/%f\n' 2>/dev/null)
  part watchers; printf '%s\n' "$watchers"
  part watches
  printf '%s\n' "$watchers" | sed -n 's|^[0-9]* \(.*\)/fd/\([0-9]*\)$|\1/fdinfo/\2|p' |
    xargs -r grep -cHs ^inotify
  limits=$(grep -Hs '^[0-9]' /sys/fs/cgroup/*/pids.max /sys/fs/cgroup/*/*/pids.max \
    /sys/fs/cgroup/*/*/*/pids.max /sys/fs/cgroup/*/*/*/*/pids.max)
  if [ -n "$limits" ]; then
    part cgroups; printf '%s\n' "$limits"
    printf '%s\n' "$limits" | sed -n 's|pids.max:.*|pids.current|p; s|current$|events|p' |
      xargs grep -Hs .
  fi
fi
