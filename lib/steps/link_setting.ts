/** A link's own settings below /proc/sys/net, and their probe. */
import { exitAbsent, saysAbsent } from "../exec/shell_file.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { settingName } from "../net/interface_settings.ts";
import { unknown } from "./probes.ts";
import type { Probe } from "../stage/stage.ts";

/** One setting of one link. */
export interface LinkSetting {
  readonly link: string;
  readonly family: 4 | 6;
  /** Its file below /proc/sys/net/ipv4/conf/LINK, or ipv6. */
  readonly name: string;
}

/** An exit code that no tool has a meaning for. */
const noFamily = 46;

/**
 * Every link has settings of IPv4; a kernel without IPv6 has none of IPv6, nor
 * has a link whose MTU is too small for it.
 */
const script = `[ -e "/proc/sys/net/$1/conf" ] || exit ${noFamily}
[ -e "/proc/sys/net/ipv4/conf/$2" ] || ${exitAbsent}
[ ! -e "/proc/sys/net/$1/conf/$2/$3" ] || cat "/proc/sys/net/$1/conf/$2/$3"`;

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
    ask: cmd`sh -c ${script} ask ipv${family} ${link} ${name}`,
    read(outcome) {
      if (outcome.code === noFamily) {
        return needed === undefined ? { is: "present" } : {
          is: "unknown",
          reason: `the kernel has no IPv${family}, which ${needed} needs: ` +
            `was it started with ipv${family}.disable=1? (cat /proc/cmdline)`,
        };
      }
      if (saysAbsent(outcome)) return { is: "absent" };
      if (!succeeded(outcome)) {
        return unknown(outcome, settingName(family, name, link));
      }
      const previous = outcome.stdout.trim();
      return Number(previous) <= 0
        ? { is: "present" }
        : { is: "absent", previous };
    },
  };
}
