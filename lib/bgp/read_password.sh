#!/bin/sh
# FILE: the password of the sessions, in its first line. A secret that others may read is none.
# shellcheck disable=SC2088 # The user wrote it.
case $1 in "~/"*) file=$HOME/${1#??} ;; *) file=$1 ;; esac
export LC_ALL=C
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
[ -s "$file" ] || no "is empty; $expected"
# A NUL is a control character; a shell's variable holds none.
password=$(head -c 200 "$file" | head -n 1 | tr '\0' '\1')
case $password in
'') no "has an empty first line; expected the password there" ;;
*\"*) no 'has a password with a ", which bird cannot take' ;;
*[[:cntrl:]]*) no "has a control character in its first line (lines of Windows?)" ;;
*[!\ -~]*)
  no "has a character beyond ASCII in its first line, which each program encodes in its own way"
  ;;
esac
[ ${#password} -le 80 ] ||
  no "has a password of more than 80 bytes, which TCP cannot take (RFC 2385)"
printf '%s\n' "$password"
