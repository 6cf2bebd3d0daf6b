/** Whether the key `vxlan` fits the rest of a cluster file. */
import { type Draft, present } from "./validate.ts";
import { familyOf } from "../net/cidr.ts";
import type { InFile } from "./schema.ts";
import { leastWay, tunnelOverhead } from "./tunnels.ts";
import type { Reading } from "./yaml.ts";

/** Notes what does not fit the rest of the file. */
export function checkVxlan(value: Draft<InFile>, reading: Reading): void {
  const { vxlan, routes, mtu, nodes, clusterCIDR, provider } = value;
  if (routes !== "vxlan") {
    if (vxlan === undefined) return;
    reading.wrong(
      ["vxlan"],
      `is for routes: vxlan; this file has ${
        routes === undefined ? "no routes" : `routes: ${routes}`
      }`,
    );
    return;
  }
  const outer = present(nodes).flatMap(([, { address }]) =>
    present(address)[0]?.[1] ?? []
  );
  const [first] = outer;
  if (first === undefined) return;
  for (const [node, { address }] of present(nodes)) {
    const [own] = present(address)[0] === undefined
      ? []
      : [present(address)[0]?.[1]];
    if (own === undefined || familyOf(own) === familyOf(first)) continue;
    reading.wrong(
      ["nodes", node, "address", 0],
      `${own} is IPv${familyOf(own)}, the first node's ${first} is not; ` +
        "expected the same family first: the tunnels are between those addresses",
    );
  }
  const way = vxlan?.mtu ?? Math.min(
    leastWay(provider, undefined),
    ...present(value.segments).map(([, { mtu = 1500 }]) => mtu),
  );
  const overhead = tunnelOverhead(first);
  const room = way - overhead;
  const hasSix = present(clusterCIDR)
    .some(([, text]) => familyOf(text) === 6);
  const least = hasSix ? 1280 : 68;
  if (room < least) {
    reading.wrong(
      vxlan?.mtu === undefined ? ["routes"] : ["vxlan", "mtu"],
      `${way} leaves the tunnel ${room} bytes a packet, and IPv${
        hasSix ? 6 : 4
      } ` +
        `needs ${least}; expected ways between the nodes that take ${
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
