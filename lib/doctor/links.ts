/** The doctor's checks of links: the bridge, rp_filter. Pure. */
import { allWithin, gateway } from "../net/cidr.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  shownBy,
  unclear,
} from "./check.ts";
import { evidence } from "../diagnosis/evidence.ts";
import type { InventoryLink } from "../inventory/inventory.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { mark } from "../net/mark.ts";
import { mtuCheck } from "./mtu.ts";
import {
  effectiveValue,
  readInterfaceValues,
  valueAt,
} from "../net/interface_settings.ts";

const bridge: Check = {
  name: "bridge",
  well: "the bridge is ours, is up, and has its gateway addresses and no other",
  read(context) {
    const { cluster, node, host } = context;
    const name = cluster.bridge;
    const seen = [shownBy(context, cmd`ip addr show dev ${name}`)];
    const link = host.links.find((link) => link.name === name);
    if (link === undefined) {
      return [
        lacking(context, "04-bridge", `there is no bridge ${name}`, seen),
      ];
    }
    const stage = makeStage("04-bridge", node.name);
    const fault = (what: string, ...remedies: Remedy[]): Finding => (
      { is: "fault", what, evidence: seen, remedies: [...remedies, stage] }
    );
    if (link.kind !== "bridge" || link.alias !== mark) {
      return [{
        is: "fault",
        what: link.kind === "bridge"
          ? `${name} is a bridge without our mark: somebody else made it, and may take it away`
          : `${name} is no bridge`,
        // Addresses are shown without the alias.
        evidence: [shownBy(context, cmd`ip -d link show dev ${name}`)],
        remedies: isNodes(link, context)
          ? [{
            say: `choose another name for the bridge in ${cluster.file}: ` +
              `${node.name} itself is reached by ${name}`,
          }]
          : [onNode(node.name, cmd`ip link del dev ${name}`), stage],
      }];
    }
    const wanted = byFamily(context).flatMap(({ podCIDR }) =>
      podCIDR === undefined ? [] : [gateway(podCIDR)]
    );
    const held = link.addresses.map(({ address, prefixLength }) =>
      `${address}/${prefixLength}`
    );
    return [
      ...held.filter((address) => !wanted.includes(address)).map((address) =>
        fault(
          `${name} has the address ${address}, which is not its podCIDR's gateway`,
          onNode(node.name, cmd`ip addr del ${address} dev ${name}`),
        )
      ),
      ...wanted.filter((address) => !held.includes(address)).map((address) =>
        lacking(
          context,
          "04-bridge",
          `${name} lacks ${address}, its pods' gateway`,
          seen,
        )
      ),
      ...(link.up ? [] : [fault(`${name} is down`)]),
    ];
  },
};

/**
 * Whether the node itself may need the link: it has an address that is no
 * pod's, or a default route.
 */
function isNodes(
  { name, addresses }: InventoryLink,
  { cluster, host }: CheckContext,
): boolean {
  const held = addresses.map(({ address }) => address);
  return !allWithin(held, cluster.clusterCIDRs) ||
    host.routes.some(({ to, dev }) => to === "default" && dev === name);
}

/** Links that lead nowhere else: they hang on the node alone. */
const inner = new Set(["bridge", "dummy"]);

/**
 * The links by which a node can be reached over IPv4, the only family that has
 * rp_filter. What comes through a tunnel goes back through it: that is no further way.
 */
function ways({ host, cluster }: CheckContext): readonly InventoryLink[] {
  const own = ["lo", cluster.bridge, tunnelLink];
  return host.links.filter(({ name, kind, addresses }) =>
    addresses.some(({ address }) => !address.includes(":")) &&
    !own.includes(name) && !inner.has(kind ?? "")
  );
}

const rpFilter: Check = {
  name: "rp-filter",
  well: "no reverse path filter drops what comes another way than it goes",
  asks: (context) => {
    const names = ["all", ...ways(context).map(({ name }) => name)];
    return [
      cmd`grep -H ${""} ${
        names.map((name) => `/proc/sys/net/ipv4/conf/${name}/rp_filter`)
      }`,
    ];
  },
  read(context, [asked]) {
    const values = readInterfaceValues(asked?.outcome.stdout ?? "");
    const all = valueAt(values, 4, "rp_filter", "all");
    if (asked === undefined || all === undefined) {
      return [unclear("what rp_filter is", asked)];
    }
    // Strict does no harm where there is one way only.
    if (ways(context).length < 2) return [];
    const strict = ways(context).filter(({ name }) =>
      effectiveValue(values, 4, "rp_filter", name) === 1
    );
    if (strict.length === 0) return [];
    const names = strict.map(({ name }) => name).join(", ");
    return [{
      is: "warning",
      what:
        `the node has ${
          ways(context).length
        } ways to others, and its reverse path ` +
        `filter is strict on ${names} (rp_filter, the greater of all's and the ` +
        "link's, is 1): what comes in by another way than its answer goes is dropped",
      evidence: [evidence(asked)],
      remedies: [
        onNode(
          context.node.name,
          cmd`sysctl -w net.ipv4.conf.all.rp_filter=2`,
        ),
      ],
    }];
  },
};

export const linkChecks: readonly Check[] = [bridge, mtuCheck, rpFilter];
