#!/bin/sh
# Puts a file of this machine on a node of a lab, renamed into place.
#
#   copy.sh FILE PATH MODE ENTER…
#
# ENTER… is the command that runs another one on the node. A file of a MB or
# more is not copied where the node sees the machine's disk: it is bound to a
# name of its own there, so that the node keeps this very file (and shares its
# pages) also when the machine gets a newer one, and PATH becomes a link to it.
set -eu
file=$(readlink -f -- "$1") path=$2 mode=$3
shift 3

identity=$(stat -c '%i-%s-%Y' -- "$file")
size=$(stat -c %s -- "$file")

link='
file=$1 path=$2 mode=$3 identity=$4
like() { [ "$(stat -c %i-%s-%Y -- "$1" 2>/dev/null)" = "$identity" ]; }
like "$file" && [ -r "$file" ] || exit 45
case $mode in *[1357]*) [ -x "$file" ] || exit 45 ;; esac
pin=/run/pinned/$identity
if ! like "$pin"; then
  mkdir -p /run/pinned
  : >>"$pin"
  mount --bind "$file" "$pin"
  # The kernel may refuse this without root; the link is then as writable as the file.
  mount -o remount,bind,ro "$pin" 2>/dev/null || :
fi
mkdir -p "${path%/*}"
ln -sfn "$pin" "$path.new"
mv -fT "$path.new" "$path"
'

write="$(cat "${0%/*}/../exec/put.sh")
put \"\$1\" \"\$2\" cat"

if [ "$size" -ge 1048576 ]; then
  code=0
  "$@" sh -euc "$link" link "$file" "$path" "$mode" "$identity" || code=$?
  [ "$code" = 45 ] || exit "$code"
fi
"$@" sh -euc "$write" write "$path" "$mode" <"$file"
