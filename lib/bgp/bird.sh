#!/bin/sh
# bird on a node, as a process of the node (a lab's) or a unit of systemd; put is defined before it.
#   bird.sh ACTION CONF KIND DIGEST [CIDR…]
action=$1 conf=$2 kind=$3 digest=$4
shift 4
folder=/run/bird

loaded() { # Has the bird that runs read this configuration?
  birdc eval deno_cni 2>/dev/null | grep -qxF "$digest"
}

answers() { birdc -r show status >/dev/null 2>&1; }

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

begin() {
  if [ "$kind" = unit ]; then
    systemctl enable -q bird
    systemctl start bird
    return
  fi
  mkdir -p "$folder"
  rm -f "$folder/bird.ctl"
  if own_user; then
    chown bird:bird "$folder"
    bird -c "$conf" -P "$folder/bird.pid" -u bird -g bird
  else
    bird -c "$conf" -P "$folder/bird.pid"
  fi
}

case $action in
ask)
  [ "$kind" != unit ] || systemctl is-enabled -q bird || exit 44
  loaded || exit 44
  ;;
run)
  if answers; then
    said=$(birdc configure)
    case $said in
    *Reconfigur*) ;;
    *)
      echo "$said" >&2
      exit 1
      ;;
    esac
  else
    begin
  fi
  await loaded || {
    echo "bird does not say that it has read $conf" >&2
    birdc -r show status >&2
    exit 1
  }
  ;;
stop)
  if [ "$kind" = unit ]; then
    systemctl disable -q --now bird
  else
    if answers; then birdc down >/dev/null; fi
    pid=$(cat "$folder/bird.pid" 2>/dev/null) || pid=
    gone() { [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != bird ]; }
    await gone || kill -KILL "$pid"
    await gone
    rm -rf "$folder"
  fi
  # What a bird that was killed left behind.
  for cidr; do
    case $cidr in *:*) family=-6 ;; *) family=-4 ;; esac
    ip "$family" route flush proto bird root "$cidr"
  done
  ;;
password)
  IFS= read -r password || [ -n "$password" ] || { echo "the file is empty" >&2; exit 1; }
  case $password in
  *\"*) echo 'the password holds a ", which bird cannot take' >&2; exit 1 ;;
  esac
  [ ${#password} -le 80 ] || { echo "the password has more than 80 characters" >&2; exit 1; }
  put "$conf" 600 printf '  password "%s";\n' "$password"
  if own_user; then chown bird:bird "$conf"; fi
  # Whoever has read the old one reads the new one.
  if answers; then birdc configure >/dev/null; fi
  ;;
esac
