/**
 * After a reboot: what stages 04 to 08 told the kernel is gone, while the
 * files, journal and leases of a node stay. So a node where systemd runs keeps
 * a plain shell file of its own commands, taken from its journal, for a unit
 * that runs it at boot. It needs nothing but a shell, ip, iptables and sysctl.
 */
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { journalPath } from "../node/node.ts";
import { unknown } from "./probes.ts";
import type { StageName, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** The shell file that systemd runs at boot. */
export const restorePath = "/etc/deno-cni/restore.sh";

/** The unit that runs it (systemd.service(5)). */
export const unitPath = "/etc/systemd/system/deno-cni.service";

/** The unit's text: ahead of the kubelet, which starts pods as soon as it runs. */
export const unit = `# ${mark}: written by stages 04 to 08
[Unit]
Description=What the kernel has to know of this node's pod network
Wants=network-online.target
After=network-online.target systemd-modules-load.service systemd-sysctl.service
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${restorePath}

[Install]
WantedBy=multi-user.target
`;

/** Goes before the commands: each may run where its effect is there already. */
const head = `#!/bin/sh
# ${mark}: written by stages 04 to 08 from ${journalPath}; changes are lost.
failed=0
ip() {
  case "$1 $2" in
  "link add") command ip link show dev "$3" >/dev/null 2>&1 || command ip "$@" ;;
  "addr add") shift 2; command ip addr replace "$@" ;;
  *) command ip "$@" ;;
  esac || failed=1
}
rule() {
  tool=$1; shift
  for word; do
    shift
    case $word in -I | -A) set -- "$@" -C ;; *) set -- "$@" "$word" ;; esac
  done
  command "$tool" "$@" 2>/dev/null
}
iptables() { rule iptables "$@" || command iptables "$@" || failed=1; }
ip6tables() { rule ip6tables "$@" || command ip6tables "$@" || failed=1; }
sysctl() { command sysctl -q "$@" || failed=1; }
`;

/**
 * Makes the shell file of the journal's records, one a line; a record's step is
 * the command as JSON has it. Takes the file's head, the journal, and a stage
 * whose commands are left out.
 */
const make = `make() {
  printf '%s' "$1"
  { [ ! -e "$2" ] || cat "$2"; } | grep -v "\\"stage\\":\\"\${3:--}\\"" |
    sed -n -e '/"state":"done"/!d' -e 's/^{"stage":"0[4678]-[a-z]*","step":"\\(\\([^"\\\\]\\|\\\\.\\)*\\)".*/\\1/' \\
      -e 't found' -e d -e ':found' -e 's/\\\\\\(["\\\\]\\)/\\1/g' \\
      -e '/^ip /p' -e '/^iptables /p' -e '/^ip6tables /p' -e '/^sysctl /p'
  echo 'exit "$failed"'
}
`;

const ask = `${make}[ -d /run/systemd/system ] || exit 46
make "$1" "$2" | cmp -s - "$3" && systemctl is-enabled -q "\${4##*/}" || exit 44`;

const write = `${make}mkdir -p "\${3%/*}"
make "$1" "$2" "$5" >"$3.new"
if grep -q -e '^ip ' -e '^iptables ' -e '^ip6tables ' -e '^sysctl ' "$3.new"; then
  mv -f "$3.new" "$3"
  cat >"$4.new"; mv -f "$4.new" "$4"
  systemctl daemon-reload
  systemctl enable -q "\${4##*/}"
else
  [ ! -e "$4" ] || systemctl disable -q "\${4##*/}"
  rm -f "$3.new" "$3" "$4"
  rmdir "\${3%/*}" 2>/dev/null || :
  systemctl daemon-reload
fi`;

/**
 * The last step of a stage whose commands a reboot takes back. A lab's node is
 * never booted, and has none.
 */
export function restoreSteps(
  { provider }: Pick<Cluster, "provider">,
  stage: StageName,
): readonly Step[] {
  if (provider === "lab") return [];
  const paths = [journalPath, restorePath, unitPath];
  return [{
    key: "what is done again after a reboot",
    why: "A reboot takes all of this back, so systemd does it again at boot",
    doneWhen: {
      ask: cmd`sh -c ${ask} ask ${head} ${paths}`,
      read(outcome) {
        if (outcome.code === 46) return { is: "present", unneeded: true };
        if (outcome.code === 44) return { is: "absent" };
        return succeeded(outcome)
          ? { is: "present", ours: true }
          : unknown(outcome, "what is done again after a reboot");
      },
    },
    run: {
      ...cmd`sh -euc ${write} write ${head} ${paths} ${""}`,
      stdin: unit,
      label: `write ${restorePath} for ${unitPath}`,
    },
    undo: {
      ...cmd`sh -euc ${write} write ${head} ${paths} ${stage}`,
      stdin: unit,
      label: `take the stage out of ${restorePath}`,
    },
    partial: true,
  }];
}
