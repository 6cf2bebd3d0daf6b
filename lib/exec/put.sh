# shellcheck shell=sh
# put PATH MODE COMMAND...: what the command prints becomes the file, in one step
# that no reader sees half done: a neighbour is written, and renamed (rename(2)).
# Where the command fails, the file stays as it was. Makes missing folders.
put() {
  path=$1 mode=$2; shift 2
  mkdir -p "${path%/*}" && (umask 077; "$@" >"$path.new") &&
    chmod "$mode" "$path.new" && mv -f "$path.new" "$path" && return
  set -- "$?"; rm -f "$path.new"; return "$1"
}
