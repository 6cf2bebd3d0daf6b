# deno-cni: run at boot by deno-cni.service. Runs the commands of boot.d/, a file
# a stage, in their order. Each may run where its effect is there already; one
# that fails keeps none from running, and is told by the exit code.
# shellcheck shell=sh disable=SC1090,SC2317
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
sysctl() { command sysctl -q "$@" || failed=1; }
sh() { command sh "$@" || failed=1; }
for file in "${0%/*}"/boot.d/*.sh; do
  [ ! -e "$file" ] || . "$file"
done
exit "$failed"
