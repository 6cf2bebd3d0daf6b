#!/bin/sh
# FOLDER TABLE LIFE KEEPER PLACE...: starts a keeper, and is back once it listens.
# On stdin are the rules.
folder=$1 table=$2 life=$3 keeper=$4
shift 4

remove_tables() {
  while IFS= read -r place; do
    if [ "$place" = node ]; then nft delete table inet "$table"
    else nsenter --net="$place" nft delete table inet "$table"; fi 2>/dev/null
  done <"$folder/places"
}

# A keeper may have been killed before it could write down whom it had just started;
# of other machines' monitors the mount namespace is another.
end_monitors() {
  own=$(readlink /proc/self/ns/mnt)
  find /proc/[0-9]*/fd/1 -maxdepth 0 -lname "$folder/events.*" 2>/dev/null |
    while IFS=/ read -r _ _ monitor _; do
      if [ "$(readlink "/proc/$monitor/ns/mnt")" = "$own" ]; then kill "$monitor"; fi
    done
}

clear_leftover() {
  if [ -s "$folder/keeper" ]; then
    read -r old <"$folder/keeper"
    if grep -qsF "$folder" "/proc/$old/cmdline"; then
      kill -KILL "$old"
    fi
  fi
  end_monitors
  remove_tables
  rm -rf "$folder"
}

[ ! -e "$folder/places" ] || clear_leftover
umask 077
mkdir -p "$folder"
cat >"$folder/rules"
printf '%s\n' "$@" >"$folder/places"
setsid sh -c "$keeper" keeper "$folder" "$table" "$life" "$@" \
  </dev/null >/dev/null 2>"$folder/said" &
echo $! >"$folder/keeper"
until [ -e "$folder/ready" ]; do
  if ! kill -0 $! 2>/dev/null && [ ! -e "$folder/ready" ]; then
    cat "$folder/said" >&2
    end_monitors
    remove_tables
    rm -rf "$folder"
    exit 3 # 1 is for those who could not enter the machine itself.
  fi
  sleep 0.02
done
