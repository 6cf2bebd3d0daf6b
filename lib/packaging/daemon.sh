#!/bin/sh
# ACTION [UNIT TEXT]: the plugin's daemon on a node, as a process of the node or a unit of systemd.
# shellcheck disable=SC3013 # Every sh of today knows -ef.
action=$1 unit=${2-} text=${3-}
launcher=/opt/cni/bin/deno-cni
daemons=/run/deno-cni/daemon
log=/var/log/deno-cni-daemon.log

lives() { # FILE: does the daemon live that it names? plugin/daemon/README.md
  [ -r "$1" ] || return 1
  read -r pid call folder <"$1" || return 1
  [ "/proc/$pid/fd/$call" -ef "$folder/call" ]
}

serves() { # Is there a daemon of the installed version?
  version=$(sed -n 's/^version=//p' "$launcher" 2>/dev/null)
  [ -n "$version" ] && lives "$daemons/$version"
}

await_daemon() { # PID, or nothing
  tries=0
  until serves; do
    tries=$((tries + 1))
    if [ $tries -ge 200 ] || { [ -n "$1" ] && ! kill -0 "$1" 2>/dev/null; }; then return 1; fi
    sleep 0.05
  done
}

stop_all() { # Each daemon answers its calls first.
  for self in "$daemons"/*/self; do
    lives "$self" || continue
    echo stop 1<>"$folder/call"
    tries=0
    while lives "$self"; do
      tries=$((tries + 1))
      if [ $tries -ge 300 ]; then kill -KILL "$pid" 2>/dev/null || :; fi
      sleep 0.05
    done
  done
}

case $action in
ask) serves || exit 44 ;;
start)
  stop_all
  # The file that says what went wrong must not grow for ever.
  setsid "$launcher" daemon </dev/null >/dev/null 2>"$log" &
  await_daemon $! || {
    cat "$log" >&2
    exit 1
  }
  ;;
ask-unit)
  [ -d /run/systemd/system ] || exit 46
  printf %s "$text" | cmp -s - "$unit" || exit 44
  systemctl is-enabled -q "${unit##*/}" || exit 44
  serves || exit 44
  ;;
start-unit)
  put "$unit" 644 printf %s "$text"
  systemctl daemon-reload
  systemctl enable -q "${unit##*/}"
  systemctl restart "${unit##*/}"
  await_daemon "" || {
    systemctl status --no-pager "${unit##*/}" >&2 || :
    exit 1
  }
  ;;
remove)
  if [ -n "$unit" ]; then
    [ ! -e "$unit" ] || systemctl disable -q --now "${unit##*/}"
    rm -f "$unit" "$unit.new"
    [ ! -d /run/systemd/system ] || systemctl daemon-reload
  fi
  stop_all
  rm -rf "$daemons" "$log"
  ;;
esac
