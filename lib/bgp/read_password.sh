#!/bin/sh
# FILE: the password of the sessions, in its first line. A secret that others may read is none.
# shellcheck disable=SC2088 # The user wrote it.
case $1 in "~/"*) file=$HOME/${1#??} ;; *) file=$1 ;; esac
expected="expected the password of the sessions in the first line of a file (bgp.passwordFile)"
no() {
  echo "$file $1" >&2
  exit 1
}
[ -e "$file" ] || no "is not there; $expected"
[ -f "$file" ] || no "is no file; $expected"
[ -r "$file" ] || no "cannot be read by $(id -un)"
case $(stat -L -c %a "$file") in
*00) ;;
*) no "may be read by others; expected mode 600: chmod 600 $file" ;;
esac
IFS= read -r password <"$file" || [ -n "$password" ] ||
  no "is empty; $expected"
case $password in
'') no "has an empty first line; expected the password there" ;;
*\"*) no 'has a password with a ", which bird cannot take' ;;
*[[:cntrl:]]*) no "has a control character in its first line (lines of Windows?)" ;;
esac
[ "$(printf %s "$password" | wc -c)" -le 80 ] ||
  no "has a password of more than 80 bytes, which TCP cannot take (RFC 2385)"
printf '%s\n' "$password"
