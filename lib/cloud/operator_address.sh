#!/bin/sh
# From where the operator calls the cloud, for the rule that lets ssh in:
#
#   operator_address.sh ask FILE    same (FILE says so already) or other
#   operator_address.sh write FILE  writes it down
#
# FILE is for terraform where it ends in .tfvars.json, else for gcloud's --flags-file.
set -eu
# shellcheck source=/dev/null
. "${0%/*}/../exec/put.sh"

who=https://checkip.amazonaws.com # answers with the caller's address

fail() {
  echo "$*" >&2
  echo "It can be given instead: the key sshFrom of the cluster file" >&2
  exit 1
}

command -v curl >/dev/null || fail "curl is missing, which asks $who for your own address"
address=$(curl --fail --silent --show-error --max-time 10 --ipv4 "$who") ||
  fail "$who does not tell your own address"
case $address in
*[!0-9.]* | *.*.*.*.* | .* | *. | *..*) fail "$who says $address, which is no address" ;;
*.*.*.*) ;;
*) fail "$who says nothing that is an address" ;;
esac

case $2 in
*.tfvars.json) line="{\"ssh_from\":[\"$address/32\"]}" ;;
*) line="--source-ranges: $address/32" ;;
esac

case $1 in
ask) if [ -e "$2" ] && [ "$(cat "$2")" = "$line" ]; then echo same; else echo other; fi ;;
write) umask 077 && put "$2" 600 echo "$line" ;;
esac
