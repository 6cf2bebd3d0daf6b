#!/bin/sh
# SECONDS PROTOCOL: the kernel's reasons for what it drops meanwhile, by the tracepoint
# skb:kfree_skb in an instance of its own: what others trace is left alone. It prints
# nothing where the kernel does not give that. In a mount namespace of its own.
life=$1 protocol=$2
own=deno-cni-trace
tracing=/sys/kernel/tracing
[ -d "$tracing/instances" ] || mount -t tracefs tracefs "$tracing" 2>/dev/null
[ -d "$tracing/instances" ] || exit 0
# What was left by one that could not end: its number is the process's.
for left in "$tracing/instances/$own".*; do
  if [ -d "$left" ] && ! kill -0 "${left##*.}" 2>/dev/null; then rmdir "$left"; fi
done
instance=$tracing/instances/$own.$$
mkdir "$instance" || exit 0
trap 'rmdir "$instance"' EXIT
trap 'exit 1' TERM INT HUP
event=$instance/events/skb/kfree_skb
[ -e "$event/filter" ] || exit 0
echo 128 >"$instance/buffer_size_kb"
echo "protocol == $protocol || protocol == 2054" >"$event/filter"
echo 1 >"$event/enable"
sleep "$life"
echo 0 >"$event/enable"
grep -v '^#' "$instance/trace"
:
