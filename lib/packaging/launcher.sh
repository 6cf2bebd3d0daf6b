#!/bin/sh
# Hands a call of the plugin to its daemon, or starts a process for it where there is no daemon or
# anything is unusual. On the first way the shell starts no process; plugin/daemon/README.md tells
# what the two say to each other.
# shellcheck disable=SC2094,SC3013 # Every sh of today knows -ef; the pipe is opened in turn.
version=@VERSION@

# Returns where the call was not taken.
hand_over() {
  [ -p /proc/self/fd/0 ] && [ -r "$daemons/$version" ] || return 0
  read -r pid call folder <"$daemons/$version" || return 0
  # The very process that has this pipe open is the daemon, or it is dead.
  [ "/proc/$pid/fd/$call" -ef "$folder/call" ] || return 0
  for same in root ns/mnt ns/pid ns/user; do
    [ "/proc/self/$same" -ef "/proc/$pid/$same" ] || return 0
  done
  # Its own namespace, also while it is in a pod's.
  [ /proc/self/ns/net -ef "$folder/net" ] || return 0
  slot=$(($$ % 64)) tried=0
  set -C # A file that is there is not written to: it is another launcher's claim.
  until echo $$ >"$folder/slot/$slot"; do
    slot=$(((slot + 1) % 64)) tried=$((tried + 1))
    [ $tried -lt 64 ] || { tell full; return 0; }
  done 2>/dev/null
  # The daemon finds stdin at 3. A pipe opened by <> is there at once; at 5 its end is read when
  # the daemon dies.
  converse 3<&0 4<>"$folder/reply/$slot" 5<"$folder/reply/$slot"
}

tell() { echo "$*" 1<>"$folder/call"; }

converse() {
  exec 4>&-
  tell $slot $$
  echo 1<>"$folder/watch"
  while read -r word text; do
    case $word in
      err) printf '%s\n' "$text" >&2 ;;
      cold) tell $slot $$ "done"; return ;;
      [01])
        [ -z "$text" ] || printf '%s\n' "$text" || exit 1
        tell $slot $$ "done"
        exit "$word"
        ;;
    esac
  done <&5
  # The daemon is dead. Its claim is empty once an ADD has begun; anything else can be done again.
  [ "$CNI_COMMAND" = ADD ] && [ ! -s "$folder/slot/$slot" ] || return 0
  printf '{"cniVersion":"1.1.0","code":11,"msg":"%s","details":"try again"}\n' \
    "the daemon of deno-cni ended during the call"
  exit 1
}

[ "${1:-}" != --version ] || {
  echo "deno-cni @RELEASE@, build $version, CNI 0.1.0 to 1.1.0"
  exit 0
}
daemons=/run/deno-cni/daemon
[ $# -gt 0 ] || hand_over
@START@
