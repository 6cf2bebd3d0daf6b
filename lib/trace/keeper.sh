#!/bin/sh
# FOLDER TABLE LIFE PLACE...: holds the tables and monitors of a trace until it is told to end,
# or its life is over.
folder=$1 table=$2 life=$3
shift 3

within() { # PLACE COMMAND...
  if [ "$1" = node ]; then shift; else at=$1; shift; set -- nsenter --net="$at" "$@"; fi
  "$@"
}

monitors=
end() { # PLACE...
  trap '' TERM INT HUP
  for place; do within "$place" nft delete table inet "$table" 2>/dev/null; done
  # A monitor that has told of the table's end has told of all before.
  tries=50
  number=0
  for monitor in $monitors; do
    number=$((number + 1))
    until grep -q "^delete table inet $table" "$folder/events.$number" || [ $tries = 0 ]; do
      sleep 0.02
      tries=$((tries - 1))
    done
    kill "$monitor"
    wait "$monitor"
  done
}
trap 'end "$@"; kill $sleeper 2>/dev/null; : >"$folder/over"; exit' TERM INT HUP
sleep "$life" &
sleeper=$!
number=0
for place; do
  number=$((number + 1))
  within "$place" nft -f "$folder/rules" || { end "$@"; exit 1; }
  : >"$folder/events.$number"
  # Not by way of within(): the process in the background has to be nft itself.
  if [ "$place" = node ]; then
    nft -a monitor >>"$folder/events.$number" &
  else
    nsenter --net="$place" nft -a monitor >>"$folder/events.$number" &
  fi
  monitors="$monitors $!"
done
# A monitor listens once its netlink socket has joined groups.
tries=100
for monitor in $monitors; do
  until grep -q "^[^ ]*  *12  *$monitor  *0*[1-9a-f]" "/proc/$monitor/net/netlink" ||
    [ $tries = 0 ]; do
    sleep 0.02
    tries=$((tries - 1))
  done
done
: >"$folder/ready"
wait $sleeper
end "$@"
rm -rf "$folder"
