/**
 * Listening: a table of our own that makes the kernel tell of some packets, at
 * each hook that they pass, and `nft monitor` beside it that writes down what
 * it tells.
 *
 * A keeper on the machine holds both: it takes the tables away when it is told
 * to end and, should nobody be left to tell it, when its life is over. What a
 * killed keeper leaves, the next start() takes away; which network namespaces
 * have a table is written down before the first one is made.
 */
import type { Family } from "../net/cidr.ts";
import { cmd, type Command, withInput } from "../exec/command.ts";
import { ownTable } from "./nft_events.ts";

/** Where a machine keeps what is heard. */
const listenFolder = "/run/deno-cni-trace";

/** How long a keeper lives when nobody ends it: longer than any trace takes. */
const life_seconds = 15;

/** The machine's own network namespace, where the path of one could stand. */
export const ownNamespace = "node";

/** Which packets to tell of. */
export interface Watched {
  readonly family: Family;
  /** The identifiers of echo requests and their replies. */
  readonly ids: readonly number[];
  /** The beginning of a TCP connection with this server, and its answer. */
  readonly server?: { readonly address: string; readonly port: number };
}

/**
 * The table, for `nft -f`. Its first chains are ahead of all others, and mark
 * the packets; its last ones come after all others, so that a packet that is
 * seen there was let through, and has the addresses that it leaves with.
 */
function rules({ family, ids, server }: Watched): string {
  const icmp = family === 4 ? "icmp" : "icmpv6";
  const ip = family === 4 ? "ip" : "ip6";
  const marks = [
    `${icmp} type { echo-request, echo-reply } ${icmp} id { ${
      ids.join(", ")
    } }`,
    ...(server === undefined ? [] : [
      `${ip} daddr ${server.address} tcp dport ${server.port} tcp flags & (syn | ack) == syn`,
      `${ip} saddr ${server.address} tcp sport ${server.port} tcp flags & (syn | rst) != 0`,
    ]),
  ].map((match) => `    ${match} meta nftrace set 1\n`).join("");
  const chain = (hook: string, priority: number, body = "") =>
    `  chain ${hook} {\n    type filter hook ${hook} priority ${priority}; policy accept;\n${body}  }\n`;
  return `table inet ${ownTable} {\n` +
    chain("prerouting", -400, marks) + chain("output", -400, marks) +
    chain("input", 400) + chain("forward", 400) + chain("postrouting", 400) +
    "}\n";
}

const enterFunction = `
within() { # PLACE COMMAND…
  if [ "$1" = ${ownNamespace} ]; then shift; else at=$1; shift; set -- nsenter --net="$at" "$@"; fi
  "$@"
}
`;

const keeperScript = `${enterFunction}
folder=$1 life=$2
shift 2
monitors=
end() {
  trap '' TERM INT HUP
  for place; do within "$place" nft delete table inet ${ownTable} 2>/dev/null; done
  # A monitor that has told of the table's end has told of all before.
  tries=100
  number=0
  for monitor in $monitors; do
    number=$((number + 1))
    until grep -q '^delete table inet ${ownTable}' "$folder/events.$number" || [ $tries = 0 ]; do
      sleep 0.01
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
  within "$place" nft -f "$folder/rules" || { echo "$place" >"$folder/failed"; end "$@"; exit 1; }
  : >"$folder/events.$number"
  if [ "$place" = ${ownNamespace} ]; then
    nft -a monitor >>"$folder/events.$number" &
  else
    nsenter --net="$place" nft -a monitor >>"$folder/events.$number" &
  fi
  monitor=$!
  # It listens once its netlink socket has joined groups.
  tries=200
  until grep -q "^[^ ]*  *12  *$monitor  *0*[1-9a-f]" "/proc/$monitor/net/netlink" || [ $tries = 0 ]; do
    sleep 0.005
    tries=$((tries - 1))
  done
  monitors="$monitors $monitor"
done
: >"$folder/ready"
wait $sleeper
end "$@"
rm -rf "$folder"
`;

const clearScript = `${enterFunction}
clear_leftover() {
  if [ -s "$folder/keeper" ]; then
    read -r old <"$folder/keeper"
    if grep -qsF "$folder" "/proc/$old/cmdline"; then
      kill -KILL "$old"
    fi
  fi
  # A keeper may have been killed before it could write down whom it had just started;
  # of other machines' monitors the mount namespace is another.
  find /proc/[0-9]*/fd/1 -maxdepth 0 -lname "$folder/events.*" 2>/dev/null |
    while IFS=/ read -r _ _ monitor _; do
      if [ "/proc/$monitor/ns/mnt" -ef /proc/self/ns/mnt ]; then kill "$monitor"; fi
    done
  while IFS= read -r place; do
    within "$place" nft delete table inet ${ownTable} 2>/dev/null || :
  done <"$folder/places"
  rm -rf "$folder"
}
`;

const startScript = `${clearScript}
folder=$1 life=$2 keeper=$3
shift 3
[ ! -e "$folder/places" ] || clear_leftover
umask 077
mkdir -p "$folder"
cat >"$folder/rules"
printf '%s\\n' "$@" >"$folder/places"
setsid sh -c "$keeper" keeper "$folder" "$life" "$@" </dev/null >/dev/null 2>"$folder/said" &
echo $! >"$folder/keeper"
until [ -e "$folder/ready" ]; do
  if ! kill -0 $! 2>/dev/null && [ ! -e "$folder/ready" ]; then
    cat "$folder/said" >&2
    while IFS= read -r place; do
      within "$place" nft delete table inet ${ownTable} 2>/dev/null || :
    done <"$folder/places"
    rm -rf "$folder"
    exit 3 # 1 is for those who could not enter the machine itself.
  fi
  sleep 0.005
done
`;

const stopScript = `
folder=$1 boundary=$2
if [ -s "$folder/keeper" ]; then
  read -r keeper <"$folder/keeper"
  kill -TERM "$keeper" 2>/dev/null
  tries=150
  until [ -e "$folder/over" ] || [ $tries = 0 ]; do
    sleep 0.01
    tries=$((tries - 1))
  done
fi
number=1
while [ -e "$folder/events.$number" ]; do
  printf '\\n%s %s\\n' "$boundary" "$number"
  cat "$folder/events.$number"
  number=$((number + 1))
done
rm -rf "$folder"
`;

/**
 * Begins to listen. It is back once each place is listened at.
 *
 * @param places paths of network namespaces, or `ownNamespace`
 */
export function startMonitor(
  watched: Watched,
  places: readonly string[],
  life = life_seconds,
): Command {
  return withInput(
    cmd`sh -c ${startScript} listen ${listenFolder} ${life} ${keeperScript} ${places}`,
    rules(watched),
  );
}

/**
 * Ends the listening, takes the tables away, and prints what was heard.
 *
 * @param boundary a text that no monitor prints
 */
export function stop(boundary: string): Command {
  return cmd`sh -c ${stopScript} stop ${listenFolder} ${boundary}`;
}

/**
 * What was heard at each place, in the order that start() was given.
 *
 * @returns undefined for a place of which nothing came
 */
export function readHeard(
  stdout: string,
  boundary: string,
  places: readonly string[],
): readonly (string | undefined)[] {
  const parts = new Map(
    stdout.split(`\n${boundary} `).slice(1).map((part) => {
      const end = part.indexOf("\n");
      return [Number(part.slice(0, end)), part.slice(end + 1)] as const;
    }),
  );
  return places.map((_, at) => parts.get(at + 1));
}
