/** A link's own settings below /proc/sys/net, and their probe. */
import { cmd, type Command, succeeded } from "../exec/command.ts";
import {
  readInterfaceValues,
  settingName,
  takenFromPods,
  valueAt,
} from "../net/interface_settings.ts";
import { unknown } from "./probes.ts";
import type { Probe } from "../stage/stage.ts";

/** One setting of one link. */
export interface LinkSetting {
  readonly link: string;
  readonly family: 4 | 6;
  /** Its file below /proc/sys/net/ipv4/conf/LINK, or ipv6. */
  readonly name: typeof takenFromPods[number]["name"] | "disable_ipv6";
}

/**
 * LINK FAMILY/NAME…: which families the kernel has, whether the link is there, and
 * those of its settings that it has. Every link has settings of IPv4; a kernel
 * without IPv6 has none of IPv6, nor has a link whose MTU is too small for it.
 */
const script = `cd /proc/sys/net || exit
link=$1; shift
for family in ipv4 ipv6; do [ ! -e $family/conf ] || echo $family; done
[ ! -e "ipv4/conf/$link" ] || echo link
for name; do
  file=\${name%/*}/conf/$link/\${name#*/}
  shift; [ ! -e "$file" ] || set -- "$@" "$file"
done
[ $# = 0 ] || grep -H "" "$@"`;

const questions = new Map<string, Command>();

/** Asks for all that a link may have to have off, so that a node is asked once. */
function askSettings(link: string): Command {
  const known = questions.get(link);
  if (known !== undefined) return known;
  const names = [...takenFromPods, { family: 6, name: "disable_ipv6" }]
    .map(({ family, name }) => `ipv${family}/${name}`);
  const question = cmd`sh -c ${script} ask ${link} ${names}`;
  questions.set(link, question);
  return question;
}

/**
 * Has the link this setting at 0, or below? One that the link does not have
 * counts as present: there is nothing to set. Where there is no link yet, there
 * will be.
 *
 * @param needed what cannot be without this family, where it is not to be passed over
 */
export function linkSettingOff(setting: LinkSetting, needed?: string): Probe {
  const { link, family, name } = setting;
  return {
    ask: askSettings(link),
    read(outcome) {
      const lines = outcome.stdout.split("\n");
      if (!succeeded(outcome)) {
        return unknown(outcome, settingName(family, name, link));
      }
      if (!lines.includes(`ipv${family}`)) {
        return needed === undefined ? { is: "present" } : {
          is: "unknown",
          reason: `the kernel has no IPv${family}, which ${needed} needs: ` +
            `was it started with ipv${family}.disable=1? (cat /proc/cmdline)`,
        };
      }
      if (!lines.includes("link")) return { is: "absent" };
      const values = readInterfaceValues(outcome.stdout);
      const value = valueAt(values, family, name, link);
      return value === undefined || value <= 0
        ? { is: "present" }
        : { is: "absent", previous: `${value}` };
    },
  };
}
