# deno-cni: run at boot by deno-cni.service. Runs the commands of boot.d/, a file
# a stage, in their order. Each may run where its effect is there already; one
# that fails keeps none from running, and is told by the exit code.
# watch, for deno-cni-watch.service: does so again whenever the kernel has made the
# routes of a link or an address that is back, or one of ours was removed. The
# kernel tells of no route that it removes with its link.
# shellcheck shell=sh disable=SC1090,SC2317
if [ "${1-}" = watch ]; then
  sh "$0"
  ip -o monitor route | while read -r event; do
    case $event in
    *" dev veth"* | fe80:* | *" fe80:"* | multicast* | *" ff00:"*) continue ;; # with pods, too
    # A stage may be at work, which writes its file last.
    Deleted*" proto 244 "* | Deleted*" proto 244") wait_s=5 ;;
    Deleted*) continue ;;
    *" proto kernel "*) wait_s=1 ;;
    *) continue ;;
    esac
    timeout "$wait_s" cat >/dev/null # what comes with it
    sh "$0"
  done
  exit 1
fi
failed=0
ip() {
  case "$1 $2" in
  "link add") command ip link show dev "$3" >/dev/null 2>&1 || command ip "$@" ;;
  "addr add") shift 2; command ip addr replace "$@" ;;
  *) command ip "$@" ;;
  esac || failed=1
}
rule() {
  tool=$1; shift
  for word; do
    shift
    case $word in -I | -A) set -- "$@" -C ;; *) set -- "$@" "$word" ;; esac
  done
  command "$tool" "$@" 2>/dev/null
}
iptables() { rule iptables "$@" || command iptables "$@" || failed=1; }
ip6tables() { rule ip6tables "$@" || command ip6tables "$@" || failed=1; }
nft() { command nft "$@" || failed=1; }
bridge() { command bridge "$@" || failed=1; }
sysctl() { command sysctl -q "$@" || failed=1; }
sh() { command sh "$@" || failed=1; }
for file in "${0%/*}"/boot.d/*.sh; do
  [ ! -e "$file" ] || . "$file"
done
exit "$failed"
