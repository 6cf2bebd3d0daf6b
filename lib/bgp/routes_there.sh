#!/bin/sh
# Waits until bird has told the kernel of the ways to these podCIDRs: SECONDS CIDR…
seconds=$1
shift
missing() {
  have=$(ip -4 route show proto bird; ip -6 route show proto bird)
  for cidr; do
    case "
$have" in *"
$cidr "*) ;; *) echo "$cidr" ;; esac
  done
}
until=$(($(date +%s) + seconds))
while lacking=$(missing "$@") && [ -n "$lacking" ]; do
  if [ "$(date +%s)" -ge "$until" ]; then
    # shellcheck disable=SC2086 # A list in a line.
    echo "after $seconds seconds, no route came to" $lacking >&2
    birdc -r show protocols >&2
    ! birdc -r show protocols | grep -q "Connection refused" ||
      echo "Connection refused: no bird runs there; run this stage on that node, too" >&2
    exit 1
  fi
  sleep 0.1
done
