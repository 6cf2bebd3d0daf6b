#!/bin/sh
# bird on a node, as a process of the node (a lab's) or a unit of systemd; put and own_birds.sh
# are before it.
#   bird.sh ACTION CONF KIND DIGEST [CIDR…]
# shellcheck disable=SC3013 # Every sh of today knows -ef.
action=$1 conf=$2 kind=$3 digest=$4
shift 4
folder=/run/bird
password=${conf%/*}/deno-cni.password
# How the unit was before the first start of ours.
before=/var/lib/deno-cni/bird.service

loaded() { # Has the bird that runs read this configuration as it is now, and is all of it at work?
  ask_bird eval deno_cni 2>/dev/null | grep -qxF "$digest" || return 1
  if unread "$conf" || unread "$password"; then return 1; fi
  ask_bird -r show protocols | awk 'NR > 3 && $4 == "down" { down = 1 } END { exit down }'
}

answers() { ask_bird -r show status >/dev/null 2>&1; }

await() { # COMMAND…
  tries=0
  until "$@"; do
    tries=$((tries + 1))
    [ $tries -lt 200 ] || return 1
    sleep 0.05
  done
}

own_user() { # bird's user, where this user namespace has it
  [ "$(tr -s ' ' </proc/self/uid_map)" = " 0 0 4294967295" ] && id -u bird >/dev/null 2>&1
}

others() { # Birds beside the one that answers, or where none does, the one that is ours to end.
  all=$(birds)
  [ -n "$all" ] || return 0
  one=$(printf '%s\n' "$all" | answering)
  [ -n "$one" ] || [ "$kind" != unit ] || one=$(systemctl show -p MainPID --value bird)
  printf '%s\n' "$all" | while read -r pid line; do
    if [ -n "$one" ]; then
      [ "$pid" = "$one" ] || echo "$pid $line"
    elif ! [ "/proc/$pid/ns/mnt" -ef /proc/self/ns/mnt ]; then
      echo "$pid $line"
    fi
  done
}

gone() { # PID
  ! grep -qsx bird "/proc/$1/comm"
}

end_birds() { # Those that birdc does not reach.
  birds | while read -r pid _; do
    [ "/proc/$pid/ns/mnt" -ef /proc/self/ns/mnt ] || continue
    kill -TERM "$pid" 2>/dev/null || :
    # A stopped one hears it then.
    kill -CONT "$pid" 2>/dev/null || :
    await gone "$pid" || { kill -KILL "$pid"; await gone "$pid"; }
  done
}

begin() {
  if [ "$kind" = unit ]; then
    # One that hangs hears no other signal.
    systemctl kill -s KILL bird 2>/dev/null || :
    systemctl stop bird
    systemctl reset-failed bird 2>/dev/null || :
    systemctl start bird
    return
  fi
  end_birds
  mkdir -p "$folder"
  rm -f "$folder/bird.ctl"
  if own_user; then
    chown bird:bird "$folder"
    bird -c "$conf" -P "$folder/bird.pid" -u bird -g bird
  else
    bird -c "$conf" -P "$folder/bird.pid"
  fi
}

how_it_was() {
  for one in is-enabled is-active; do
    if systemctl -q "$one" bird; then echo "$one"; fi
  done
}

case $action in
ask)
  said=$(others)
  if [ -n "$said" ]; then
    echo "$said"
    exit 45
  fi
  [ "$kind" != unit ] || systemctl is-enabled -q bird || exit 44
  loaded || exit 44
  ;;
run)
  if [ "$kind" = unit ]; then
    [ -e "$before" ] || { mkdir -p "${before%/*}"; put "$before" 644 how_it_was; }
    systemctl enable -q bird
  fi
  if answers; then
    # From now on, what is older than the bird's last reading was read.
    touch "$conf"
    [ ! -e "$password" ] || touch "$password"
    said=$(ask_bird configure)
    case $said in
    *Reconfigur*) ;;
    *)
      echo "$said" >&2
      exit 1
      ;;
    esac
    ask_bird enable all >/dev/null
  else
    begin
  fi
  await loaded || {
    echo "bird does not say that it has read $conf" >&2
    ask_bird -r show status >&2
    ask_bird -r show protocols >&2
    exit 1
  }
  ;;
stop)
  # One that answers and is not of this configuration is somebody else's by now.
  if answers && ! ask_bird eval deno_cni 2>/dev/null | grep -qx '[0-9a-f]\{8\}'; then exit 0; fi
  if [ "$kind" = unit ]; then
    was=$(cat "$before" 2>/dev/null) || was=
    rm -f "$before"
    case $was in *is-enabled*) ;; *) systemctl disable -q bird ;; esac
    case $was in
    # Reads what was there before when that is back in its place.
    *is-active*) exit 0 ;;
    esac
    systemctl stop bird
  elif answers; then
    ask_bird down >/dev/null
  fi
  if [ "$kind" != unit ]; then
    end_birds
    rm -rf "$folder"
  fi
  # What a bird that was killed left behind.
  for cidr; do
    case $cidr in *:*) family=-6 ;; *) family=-4 ;; esac
    ip "$family" route flush proto bird root "$cidr"
  done
  ;;
ask-password)
  [ -e "$password" ] || exit 44
  if own_user && [ "$(stat -c %U "$password")" != bird ]; then exit 44; fi
  stat -c %a "$password"
  cat "$password"
  ;;
password)
  IFS= read -r secret
  put "$password" 600 printf '  password "%s";\n' "$secret"
  if own_user; then chown bird:bird "$password"; fi
  ;;
esac
