#!/bin/sh
# Installs the package bird2, or takes it away: bird_package.sh install|purge
# Asks nothing, keeps files that are there, and takes no other package away.
patience_s=300
apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-remove -o "DPkg::Lock::Timeout=$patience_s" \
    -o Dpkg::Options::=--force-confold "$@"
}
if [ "$1" = purge ]; then
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o "DPkg::Lock::Timeout=$patience_s" purge bird2
  exit
fi
# For the lock of its lists apt-get does not wait. Where they cannot be fetched, older ones may do.
passed=0
until updated=$(apt update 2>&1); do
  case $updated in *"Could not get lock"*) ;; *) break ;; esac
  [ $passed -lt $patience_s ] || break
  sleep 5
  passed=$((passed + 5))
done
errors=$(echo "$updated" | grep '^[EW]: ')
installed=$(apt install bird2 2>&1) && exit 0
code=$?
echo "$installed" | tail -n 20 >&2
[ -z "$errors" ] || printf '%s\n' "apt-get update said:" "$errors" >&2
case $errors$installed in
*"get lock"* | *"dpkg frontend lock"*)
  todo="another apt-get or dpkg is at work on this machine: let it end"
  ;;
*"remove is disabled"*)
  todo="remove what bird2 does not bear beside it, if nothing needs that"
  ;;
*"Failed to fetch"* | *"failed to download"*)
  todo="let this machine reach the mirrors of its sources (/etc/apt), or install BIRD 2 by hand"
  ;;
*"Unable to locate"* | *"no installation candidate"*)
  todo="add a source that has bird2 (Debian's main, Ubuntu's universe), or install BIRD 2 by hand"
  ;;
*) todo="mend what apt-get says, or install BIRD 2 by hand" ;;
esac
echo "tried: apt-get update, apt-get install bird2; $todo" >&2
exit "$code"
