/**
 * The switches by which a node forwards, by family. The kernel writes more
 * with the first: the value of each interface, and for IPv4 whether redirects
 * are accepted (net/ipv4/devinet.c, inet_forward_change()).
 */
import type { Family } from "../net/cidr.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { readInterfaceValues, valueAt } from "../net/interface_settings.ts";
import { sysctlIs, unknown } from "./probes.ts";
import type { Probe, Step } from "../stage/stage.ts";

/** The switch's name for sysctl(8). */
export const forwardingSwitches = {
  4: "net.ipv4.ip_forward",
  6: "net.ipv6.conf.all.forwarding",
} as const;

/** Whether frames that only cross a bridge meet the packet filter. */
export const bridgedFramesSettings = {
  4: "net.bridge.bridge-nf-call-iptables",
  6: "net.bridge.bridge-nf-call-ip6tables",
} as const;

/** What it prints begins with what its label prints. */
const script = `cd "/proc/sys/net/$1/conf" 2>/dev/null || exit 0
sysctl "$2" && cd ../.. && grep -sH "" "$1"/conf/*/forwarding "$1/conf/all/accept_redirects"`;

/** Turns it on; undo gives back what else the kernel writes with it. */
export function forwardingSwitch(family: Family, why: string): Step {
  const name = forwardingSwitches[family];
  return {
    why,
    doneWhen: switchIsOn(family, name),
    run: cmd`sysctl -w ${name}=1`,
    undo: (previous: string) => {
      const [value = "", ...more] = previous.split(" ");
      // -e: an interface may be gone by then.
      const quiet = more.length === 0 ? [] : ["-e"];
      return cmd`sysctl ${quiet} -w ${name}=${value} ${more}`;
    },
  };
}

/** Service addresses need it; a kernel without the setting has nothing to set. */
export function bridgedFrames(family: Family, why: string): Step {
  const name = bridgedFramesSettings[family];
  return {
    why,
    doneWhen: sysctlIs(name, "1"),
    run: cmd`sysctl -w ${name}=1`,
    undo: (previous: string) => cmd`sysctl -w ${name}=${previous}`,
  };
}

function switchIsOn(family: Family, name: string): Probe {
  return {
    ask: {
      ...cmd`sh -c ${script} ask ipv${family} ${name}`,
      label: `sysctl ${name}`,
    },
    read(outcome) {
      const values = readInterfaceValues(outcome.stdout);
      const on = valueAt(values, family, "forwarding", "all");
      // A kernel without the family has nothing to set.
      if (succeeded(outcome) && outcome.stdout.trim() === "") {
        return { is: "present" };
      }
      if (on === undefined) return unknown(outcome, name);
      if (on !== 0) return { is: "present" };
      const lost = [...values].filter(([path, value]) =>
        path.endsWith("/forwarding") ? value !== 0 : family === 4 && value === 0
      ).map(([path, value]) => `net/${path}=${value}`);
      return { is: "absent", previous: ["0", ...lost].join(" ") };
    },
  };
}
