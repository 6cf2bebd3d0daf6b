/** Whether the key `vxlan` fits the rest of a cluster file. */
import { type Draft, present } from "./validate.ts";
import { familyOf } from "../net/cidr.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { checkKind } from "./rules_kind.ts";
import type { InFile } from "./schema.ts";
import { leastWay, tunnelOverhead } from "./tunnels.ts";
import type { Reading } from "./yaml.ts";

/** Notes what does not fit the rest of the file. */
export function checkVxlan(value: Draft<InFile>, reading: Reading): void {
  if (checkKind(value, "vxlan", reading)) return;
  checkOuterFamily(value, reading);
  checkTunnelMtu(value, reading);
  checkWay(value, reading);
  if (value.bridge !== tunnelLink) return;
  reading.wrong(
    ["bridge"],
    `${tunnelLink} is what the tunnels' own link is called; expected another, e.g. cni0`,
  );
}

/** The first of each node's addresses: the tunnels are between these. */
function outerOf({ nodes }: Draft<InFile>) {
  return present(nodes).flatMap(([node, { address }]) => {
    const [own] = present(address);
    return own === undefined ? [] : [{ node, at: own[0], text: own[1] }];
  });
}

function checkOuterFamily(value: Draft<InFile>, reading: Reading): void {
  const [first, ...others] = outerOf(value);
  if (first === undefined) return;
  for (const { node, at, text } of others) {
    if (familyOf(text) === familyOf(first.text)) continue;
    reading.wrong(
      ["nodes", node, "address", at],
      `${text} is IPv${
        familyOf(text)
      }, the first node's ${first.text} is not; ` +
        "expected the same family first: the tunnels are between those addresses",
    );
  }
}

function checkTunnelMtu(value: Draft<InFile>, reading: Reading): void {
  const { vxlan, mtu, clusterCIDR, provider, segments } = value;
  const [first] = outerOf(value);
  if (first === undefined) return;
  const narrow = present(segments)
    .flatMap(([at, { mtu }]) => mtu === undefined ? [] : [{ at, mtu }])
    .toSorted((a, b) => a.mtu - b.mtu)[0];
  const usual = leastWay(provider, undefined);
  const way = vxlan?.mtu ?? Math.min(usual, narrow?.mtu ?? usual);
  const overhead = tunnelOverhead(first.text);
  const room = way - overhead;
  const hasSix = present(clusterCIDR)
    .some(([, text]) => familyOf(text) === 6);
  const least = hasSix ? 1280 : 68;
  if (room < least) {
    reading.wrong(
      vxlan?.mtu !== undefined || narrow === undefined
        ? ["vxlan", "mtu"]
        : ["segments", narrow.at, "mtu"],
      `${way} leaves the tunnel ${room} bytes a packet, and IPv${
        hasSix ? 6 : 4
      } needs ${least}; expected ways between the nodes that take ${
        least + overhead
      } or more`,
    );
  } else if (mtu !== undefined && mtu > room) {
    reading.wrong(
      ["mtu"],
      `${mtu} does not fit the tunnel: of the way's ${way} bytes it takes ${overhead} itself; ` +
        `expected ${room} or less, or a larger vxlan.mtu`,
    );
  }
}

/** Of a lab's segments it is known what they take. */
function checkWay(
  { vxlan, provider = "lab", segments }: Draft<InFile>,
  reading: Reading,
): void {
  if (vxlan?.mtu === undefined || provider !== "lab") return;
  const usual = leastWay(provider, undefined);
  const taken = segments === undefined
    ? usual
    : Math.min(...present(segments).map(([, { mtu = usual }]) => mtu));
  if (vxlan.mtu <= taken) return;
  reading.wrong(
    ["vxlan", "mtu"],
    `${vxlan.mtu} is more than the lab's segments take; expected ${taken} or less`,
  );
}
