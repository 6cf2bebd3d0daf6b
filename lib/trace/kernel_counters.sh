#!/bin/sh
# What the kernel has counted in a network namespace, in the order of its own files.
cat /proc/net/snmp /proc/net/netstat
cat /proc/net/snmp6 /proc/net/xfrm_stat 2>/dev/null
sed 's/^/Softnet /' /proc/net/softnet_stat
sed 's/^/Conntrack /' /proc/net/stat/nf_conntrack 2>/dev/null
ip -s -s -j link
tc -s -j qdisc show 2>/dev/null
:
