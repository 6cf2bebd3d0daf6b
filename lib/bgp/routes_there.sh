#!/bin/sh
# Waits until bird has told the kernel of the ways to podCIDRs, and says which do not come:
#   SECONDS (must|may CIDR NODE SESSION)…      with 0 seconds, says it at once
# Those that must come are waited for; those of nodes that this run is not for only as long as
# their sessions may still come up.
seconds=$1
shift
lacking() { # must|may: CIDR NODE SESSION, a line each
  kind=$1
  shift
  have=$(ip -4 route show proto bird; ip -6 route show proto bird)
  while [ $# -ge 4 ]; do
    if [ "$1" = "$kind" ]; then
      case "
$have" in *"
$2 "*) ;; *) echo "$2 $3 $4" ;; esac
    fi
    shift 4
  done
}
said() { # SESSION: what bird says of it
  timeout 5 birdc -r show protocols 2>&1 | awk -v name="$1" '
    $1 == name { found = $6; for (i = 7; i <= NF; i++) found = found " " $i }
    $1 == name && $6 == "" { found = $4 }
    END { print found == "" ? "no such session" : found }'
}
tell() { # what lacks, with bird's word for why
  while read -r cidr node session; do
    echo "no route yet to the pods of $node ($cidr): of $session bird says $(said "$session")"
  done
}
now() { date +%s; }
start=$(now)
while lack=$(lacking must "$@") && [ -n "$lack" ]; do
  if [ "$(now)" -ge $((start + seconds)) ]; then
    echo "after $seconds seconds:" >&2
    echo "$lack" | tell >&2
    echo "what to do: the doctor says why a session is down, and what mends it" >&2
    exit 1
  fi
  sleep 0.1
done
hopeless() { # Has each session of these an error?
  echo "$lack" | while read -r _ _ session; do
    case $(said "$session") in *' '*) ;; *) exit 1 ;; esac
  done
}
start=$(now) least=3 most=15
[ "$seconds" != 0 ] || most=0
while lack=$(lacking may "$@") && [ -n "$lack" ]; do
  passed=$(($(now) - start))
  if [ $passed -ge $most ] || { [ $passed -ge $least ] && hopeless; }; then
    echo "$lack" | tell
    echo "not waited for: this run is not for those nodes, which may have to run this stage, too"
    exit 0
  fi
  sleep 0.1
done
