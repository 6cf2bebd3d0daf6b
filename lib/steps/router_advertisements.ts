/**
 * What a node has learnt from routers: a kernel that forwards drops the IPv6
 * default route of an interface whose accept_ra is 1, and lets its addresses
 * run out; only 2 goes on (ip-sysctl, accept_ra).
 */
import { familyOf } from "../net/cidr.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { settingName } from "../net/interface_settings.ts";
import { unknown } from "./probes.ts";
import type { Step } from "../stage/stage.ts";

const program = shellProgram("router_advertisements.sh", import.meta.url);

/**
 * By this file an interface has its setting again at boot, before the first
 * advertisement, and when it is made anew (sysctl.d(5), systemd-sysctl(8)).
 */
const keptPath = "/etc/sysctl.d/90-deno-cni-routers.conf";

/**
 * Every interface that has learnt from a router goes on to heed routers when
 * the node forwards. Where another program than the kernel does that, accept_ra
 * is 0, and the kernel leaves its routes alone. To be done ahead of forwarding.
 *
 * @param bridge is never among them: a pod must not be the node's router
 * @param addresses the node's: on a node that has no IPv6 default route, an
 * interface with one of these is among them, for it may have lost the route so
 */
export function heedRouters(
  bridge: string,
  addresses: readonly string[] = [],
): Step {
  const own = addresses.filter((one) => familyOf(one) === 6);
  const run = (todo: "ask" | "set" | "reset") =>
    cmd`sh -euc ${program} routers ${todo} ${bridge} ${keptPath} ${own}`;
  return {
    key: "interfaces with router advertisements heed them though they forward",
    why: "A node that forwards drops a default route learnt by router " +
      "advertisement, unless accept_ra is 2",
    doneWhen: {
      ask: run("ask"),
      read(outcome) {
        if (!succeeded(outcome)) {
          return unknown(outcome, "which interfaces heed routers");
        }
        const found = outcome.stdout.split("\n").filter((line) => line !== "")
          .map((line) => {
            const [name = "", value, writable, keeps] = line.split(" ");
            return {
              name,
              wanted: value === "1",
              writable: writable === "yes",
              keeps: keeps === "yes",
            };
          });
        if (found.length === 0) return { is: "unneeded" };
        const wanted = found.filter(({ wanted }) => wanted);
        const stuck = wanted.find(({ writable }) => !writable);
        if (stuck !== undefined) {
          const name = settingName(6, "accept_ra", stuck.name);
          return {
            is: "different",
            found: `${stuck.name} has what it knows of IPv6 by router ` +
              `advertisement, and ${name} cannot be set to 2: with forwarding ` +
              "the kernel would take its default route away",
            remedy: "make /proc/sys writable, or give the node a static " +
              "default route and addresses of IPv6 and set " +
              `${name}=0; then run this stage again`,
          };
        }
        const ours = found.some(({ keeps }) => keeps);
        if (wanted.length > 0) {
          return { is: "absent", ...(ours ? { ours } : {}) };
        }
        return { is: "present", ...(ours ? { ours } : {}) };
      },
    },
    run: {
      ...run("set"),
      label: "sysctl -w net.ipv6.conf.INTERFACE.accept_ra=2, also in " +
        keptPath,
    },
    undo: {
      ...run("reset"),
      label: "sysctl -w net.ipv6.conf.INTERFACE.accept_ra=1, and rm " +
        keptPath,
    },
  };
}
