#!/bin/sh
# Runs `kubeadm init` or `kubeadm join`, and remembers how far it got.
#
#   kubeadm.sh init|join STATE MADE FLAGS…
#
# STATE says "running" or "done"; MADE is what kubeadm leaves where it is done.
# An earlier try that was cut off is taken back first, and not before it has
# ended: kubeadm outlives a connection that is lost. Where FLAGS end with
# --config or --discovery-file its content is the standard input. It lies in a
# file that others cannot read, for it may hold a token, and that does not stay.
set -eu
verb=$1 state=$2 made=$3
shift 3

for last; do :; done
case $last in
--config | --discovery-file)
  file=$(mktemp /run/deno-cni-kubeadm.XXXXXX)
  trap 'rm -f "$file"' EXIT
  trap 'exit 1' HUP INT TERM
  cat >"$file"
  [ -s "$file" ]
  set -- "$@" "$file"
  ;;
esac

mkdir -p "${state%/*}"
exec 9>"$state.lock"
flock -w 500 9 || {
  echo "an earlier kubeadm is still at work here" >&2
  exit 1
}
[ "$(cat "$state" 2>/dev/null)" != "done" ] || [ ! -e "$made" ] || exit 0
[ ! -e "$state" ] || kubeadm reset -f >&2 9>&-
echo running >"$state"

if [ "$last" = --config ]; then
  # Written as v1beta3 has it; v1beta4 takes a list of arguments.
  version=$(kubeadm config print init-defaults | sed -n 's/^apiVersion: //p' | head -n 1)
  sed -i "s|^apiVersion: .*|apiVersion: $version|" "$file"
  case $version in
  */v1beta[1-3]) ;;
  *) sed -i 's/^    \(node-cidr[a-z0-9-]*\): \(.*\)/    - name: \1\n      value: \2/' "$file" ;;
  esac
fi
kubeadm "$verb" "$@" 9>&-
echo "done" >"$state"
