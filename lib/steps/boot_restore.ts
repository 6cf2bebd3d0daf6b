/**
 * After a reboot: what stages 04 to 08 told the kernel is gone, while the
 * files, journal and leases of a node stay. So a node where systemd runs keeps
 * the commands of these stages, a plain shell file each, for a unit that runs
 * them at boot. It needs nothing but a shell, ip, sysctl, and iptables or nft.
 *
 * Part of it goes while the node runs, too: a link that is down for a moment
 * takes the routes by it along, a service of the network or of a firewall
 * that is started again begins with what it knows itself. The unit is run again
 * with those services, and a second one runs it when a link is back, or when
 * somebody has removed one of the routes.
 */
import { cmd, paste, succeeded, withInput } from "../exec/command.ts";
import { exitAbsent, put, saysAbsent } from "../exec/shell_file.ts";
import { oncePer } from "../cluster/once.ts";
import { unknown } from "./probes.ts";
import type { Plan, Stage, StageName, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

const folder = "/etc/deno-cni";

/** The shell file that systemd runs at boot, with those of the stages in boot.d/ beside it. */
export const bootPath = `${folder}/boot.sh`;

/** The commands of a stage, one a line. */
export function stagePath(stage: StageName): string {
  return `${folder}/boot.d/${stage}.sh`;
}

/** The unit that runs it (systemd.service(5)). */
export const unitPath = "/etc/systemd/system/deno-cni.service";

/** The unit that runs it again while the node runs. */
const watchUnitPath = "/etc/systemd/system/deno-cni-watch.service";

/** What sets up the network or a packet filter, and may remove what others made there. */
const networkServices = [
  ...["networking", "systemd-networkd", "NetworkManager"],
  ...["nftables", "netfilter-persistent", "iptables", "firewalld", "ufw"],
  "docker",
].map((name) => `${name}.service`).join(" ");

/**
 * The unit's text: ahead of the kubelet, which starts pods as soon as it runs.
 * Of the services, PartOf= takes a restart over, WantedBy= a start.
 */
export const unit = `# ${mark}: written by stages 04 to 08
[Unit]
Description=What the kernel has to know of this node's pod network
Wants=network-online.target
After=network-online.target systemd-modules-load.service systemd-sysctl.service
After=${networkServices}
PartOf=${networkServices}
Before=kubelet.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh ${bootPath}

[Install]
WantedBy=multi-user.target ${networkServices}
`;

/** The second unit's text. */
export const watchUnit = `# ${mark}: written by stages 04 to 08
[Unit]
Description=The same again, when the network has lost some of it
After=deno-cni.service
StartLimitIntervalSec=0

[Service]
ExecStart=/bin/sh ${bootPath} watch
Restart=always
RestartSec=1s

[Install]
WantedBy=multi-user.target
`;

const boot = Deno.readTextFileSync(new URL("boot.sh", import.meta.url));

/** Each of these takes the stage's file, boot.sh, the units, and the texts of the latter three. */
const ask = `[ -d /run/systemd/system ] || exit 46
cmp -s - "$1" && printf %s "$5" | cmp -s - "$2" && printf %s "$6" | cmp -s - "$3" &&
  printf %s "$7" | cmp -s - "$4" && systemctl is-enabled -q "\${3##*/}" "\${4##*/}" &&
  systemctl is-active -q "\${4##*/}" || ${exitAbsent}`;

const write = `${put}put "$1" 644 cat
put "$2" 644 printf %s "$5"
put "$3" 644 printf %s "$6"
put "$4" 644 printf %s "$7"
rm -f "\${2%/*}/restore.sh" # an older version's
systemctl daemon-reload
systemctl enable -q "\${3##*/}" "\${4##*/}"
systemctl restart "\${4##*/}"`;

/** The last stage's file takes the units with it. */
const remove = `rm -f "$1" "$1.new"
if [ -d "\${1%/*}" ] && ! rmdir "\${1%/*}" 2>/dev/null; then exit 0; fi
[ ! -e "$3" ] || systemctl disable -q --now "\${3##*/}"
[ ! -e "$4" ] || systemctl disable -q --now "\${4##*/}"
rm -f "$2" "$2.new" "$3" "$3.new" "$4" "$4.new" "\${2%/*}/restore.sh"
rmdir "\${2%/*}" 2>/dev/null || :
systemctl daemon-reload`;

/**
 * A stage whose commands a reboot takes back, with a last step: that they are
 * done again at boot. A lab's node is never booted, and does without.
 *
 * @param isTaken whether a reboot takes them back; a service of the system's
 * own comes back by itself
 */
export function alsoAtBoot(
  stage: Stage & { readonly steps: (plan: Plan) => readonly Step[] },
  isTaken: (cluster: Plan["cluster"]) => boolean = () => true,
): Stage {
  return {
    ...stage,
    steps(plan) {
      const steps = stage.steps(plan);
      return plan.cluster.provider === "lab" || steps.length === 0 ||
          !isTaken(plan.cluster)
        ? steps
        : [...steps, restoreStep(stage.name, steps)];
    },
  };
}

/** Many nodes may have the step, and the same line for it. */
const lineAtBoot = oncePer(({ run, atBoot }: Step) => {
  const command = atBoot ?? run;
  return "copy" in command ? "" : `${paste(command)}\n`;
});

const linesAtBoot = oncePer((steps: readonly Step[]) =>
  steps.map(lineAtBoot).join("")
);

function restoreStep(stage: StageName, steps: readonly Step[]): Step {
  const path = stagePath(stage);
  const files = [path, bootPath, unitPath, watchUnitPath];
  const texts = [boot, unit, watchUnit];
  // Made when it is asked for: a plan for 1,000 nodes has a million commands.
  const commands = () =>
    `# ${mark}: written by stage ${stage}; changes are lost.\n` +
    linesAtBoot(steps);
  return {
    key: "what is done again after a reboot",
    repeats: true,
    why: "A reboot takes all of this back, so systemd does it again at boot",
    doneWhen: {
      get ask() {
        return withInput(cmd`sh -c ${ask} ask ${files} ${texts}`, commands());
      },
      read(outcome) {
        if (outcome.code === 46) return { is: "unneeded" };
        if (saysAbsent(outcome)) return { is: "absent" };
        return succeeded(outcome)
          ? { is: "present", ours: true }
          : unknown(outcome, "what is done again after a reboot");
      },
    },
    get run() {
      const command = cmd`sh -euc ${write} write ${files} ${texts}`;
      return {
        ...withInput(command, commands()),
        label: `write ${path} for ${unitPath}`,
      };
    },
    undo: {
      cleanup: {
        ...cmd`sh -euc ${remove} remove ${files}`,
        label: `remove ${path}`,
      },
    },
  };
}
