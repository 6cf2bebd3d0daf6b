/** The doctor's checks of links: the bridge, MTU, rp_filter. Pure. */
import { gateway } from "../net/cidr.ts";
import { cmd } from "../exec/command.ts";
import {
  byFamily,
  type Check,
  type CheckContext,
  type Finding,
  lacking,
  shownBy,
  unclear,
  uplinkOf,
} from "./check.ts";
import { evidence } from "../diagnosis/evidence.ts";
import type { InventoryLink } from "../inventory/inventory.ts";
import { makeStage, onNode, type Remedy } from "../diagnosis/remedy.ts";
import { mark } from "../net/mark.ts";
import { podsAnew } from "../verify/pod_remedy.ts";
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
        remedies: [onNode(node.name, cmd`ip link del dev ${name}`), stage],
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

const mtu: Check = {
  name: "mtu",
  well: "the link to the other nodes takes what pods send at full length",
  read(context) {
    const { cluster, node, nodes, host } = context;
    const uplink = uplinkOf(host, node.addresses);
    if (uplink === undefined) {
      return [{
        is: "unknown",
        what: `no link has the node's address ${node.address}`,
        evidence: [],
      }];
    }
    const widest = Math.max(...nodes.map((other) => {
      if (other.host.is !== "read") return 0;
      return uplinkOf(other.host, [other.address])?.mtu ?? 0;
    }));
    const ask = (name: string) => cmd`ip link show dev ${name}`;
    const seen = [shownBy(context, ask(uplink.name))];
    const raise = widest > uplink.mtu
      ? [onNode(node.name, cmd`ip link set dev ${uplink.name} mtu ${widest}`)]
      : [];
    const pods = host.pods.flatMap((pod) =>
      pod.links.filter(({ mtu }) => mtu > uplink.mtu)
        .map((link) => ({ pod, link }))
    );
    const [first] = pods;
    if (first !== undefined) {
      return [{
        is: "fault",
        what:
          `${pods.length === 1 ? "a pod sends" : `${pods.length} pods send`} ` +
          `packets of up to ${first.link.mtu} bytes, and ${uplink.name} takes ` +
          `${uplink.mtu}: long ones that must not be cut are lost`,
        evidence: [
          ...seen,
          shownBy(
            context,
            cmd`nsenter --net=/run/netns/${first.pod.name} ${
              ask(first.link.name).argv
            }`,
          ),
        ],
        remedies: raise.length > 0 ? raise : [
          ...(cluster.mtu === undefined || cluster.mtu <= uplink.mtu ? [] : [
            { say: `write mtu: ${uplink.mtu} into ${cluster.file}` },
            makeStage("03-cni-config", node.name),
          ]),
          ...podsAnew(cluster, node.name, pods.map(({ pod }) => pod)),
        ],
      }];
    }
    if (widest <= uplink.mtu) return [];
    return [{
      is: "warning",
      what:
        `${uplink.name} takes ${uplink.mtu} bytes, another node's link ${widest}: ` +
        "what comes from there at full length may be lost",
      evidence: seen,
      remedies: raise,
    }];
  },
};

/** Links that lead nowhere else: they hang on the node alone. */
const inner = new Set(["bridge", "dummy"]);

/** The links by which a node can be reached over IPv4, the only family that has rp_filter. */
function ways({ host, cluster }: CheckContext): readonly InventoryLink[] {
  return host.links.filter(({ name, kind, addresses }) =>
    addresses.some(({ address }) => !address.includes(":")) && name !== "lo" &&
    name !== cluster.bridge && !inner.has(kind ?? "")
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

export const linkChecks: readonly Check[] = [bridge, mtu, rpFilter];
