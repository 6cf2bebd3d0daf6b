/**
 * Forwarding of IPv4, interface by interface: net.ipv4.ip_forward writes it to
 * all of them in the moment in which it changes; afterwards each has its own,
 * and that is what counts (ip-sysctl, forwarding).
 */
import { familyOf } from "../net/cidr.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import { birdProtocol, routeProtocol, unknown } from "./probes.ts";
import type { Plan, Step } from "../stage/stage.ts";

const program = shellProgram("forwarding_interfaces.sh", import.meta.url);

const off = `for name; do
  file=/proc/sys/net/ipv4/conf/$name/forwarding
  if [ -e "$file" ]; then sysctl -w "net/ipv4/conf/$name/forwarding=0"; fi
done`;

/**
 * Every interface on pods' way forwards: the bridge, the link that has the
 * node's address, those of the default route and of our routes, and those that
 * are made later.
 */
export function interfacesForward({ cluster, node }: Plan): Step {
  const addresses = node.addresses.filter((one) => familyOf(one) === 4);
  const protocol = cluster.routes === "bgp" ? birdProtocol : routeProtocol;
  const words = [cluster.bridge, protocol, ...addresses];
  return {
    key: "every interface on pods' way forwards",
    why: "An interface that does not forward drops what comes in by it, " +
      "whatever ip_forward says",
    doneWhen: {
      ask: cmd`sh -c ${program} interfaces ask ${words}`,
      read(outcome) {
        const values = new Map(
          outcome.stdout.trim().split("\n").map((line) => {
            const [name = "", value] = line.split(" ");
            return [name, value] as const;
          }),
        );
        if (!succeeded(outcome) || !values.has("all")) {
          return unknown(outcome, "which interfaces forward");
        }
        // The step before this one then sets them all.
        if (values.get("all") === "0") return { is: "present" };
        const still = [...values].filter(([, value]) => value === "0")
          .map(([name]) => name);
        return still.length === 0
          ? { is: "present" }
          : { is: "absent", previous: still.join(" ") };
      },
    },
    run: {
      ...cmd`sh -euc ${program} interfaces set ${words}`,
      label: "sysctl -w net.ipv4.conf.INTERFACE.forwarding=1 on pods' way",
    },
    undo: (previous) => ({
      ...cmd`sh -euc ${off} interfaces ${previous.split(" ")}`,
      label: `sysctl -w net.ipv4.conf.INTERFACE.forwarding=0 on ${previous}`,
    }),
  };
}
