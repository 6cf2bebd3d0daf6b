#!/bin/sh
# FOLDER: ends a keeper, and prints what was heard at each place, in parts of its number.
folder=$1
if [ -s "$folder/keeper" ]; then
  read -r keeper <"$folder/keeper"
  kill -TERM "$keeper" 2>/dev/null
  tries=75
  until [ -e "$folder/over" ] || [ $tries = 0 ]; do
    sleep 0.02
    tries=$((tries - 1))
  done
fi
number=1
while [ -e "$folder/events.$number" ]; do
  part "$number"; cat "$folder/events.$number"
  number=$((number + 1))
done
rm -rf "$folder"
