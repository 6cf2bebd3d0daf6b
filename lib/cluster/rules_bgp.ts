/** Whether the key `bgp` fits the rest of a cluster file. */
import { type Draft, present } from "./validate.ts";
import { containsAddress, familyOf, ofFamily, parseCidr } from "../net/cidr.ts";
import { isSameAddress } from "./rules_segment.ts";
import type { InFile } from "./schema.ts";
import type { Reading } from "./yaml.ts";

/** Notes what does not fit the rest of the file. */
export function checkBgp(value: Draft<InFile>, reading: Reading): void {
  const { bgp, routes, nodes } = value;
  if (bgp === undefined) return;
  if (routes !== "bgp") {
    reading.wrong(
      ["bgp"],
      `is for routes: bgp; this file has ${
        routes === undefined ? "no routes" : `routes: ${routes}`
      }`,
    );
    return;
  }
  const names = present(nodes).map(([, { name }]) => name);
  if (bgp.reflectors?.length === 0) {
    reading.wrong(
      ["bgp", "reflectors"],
      "[] is empty; expected at least one, or no such key",
    );
  }
  const seen = new Set<string>();
  for (const [at, name] of present(bgp.reflectors)) {
    const path = ["bgp", "reflectors", at];
    if (!names.includes(name)) {
      reading.wrong(
        path,
        `${name} is no node; expected one of ${
          names.filter((one) => one !== undefined).join(", ")
        }`,
      );
    } else if (seen.has(name)) {
      reading.wrong(path, `${name} is there twice; expected it once`);
    }
    seen.add(name);
  }
  checkPeers(value, reading);
}

function checkPeers(
  { bgp, nodes, clusterCIDR }: Draft<InFile>,
  reading: Reading,
): void {
  const peers = present(bgp?.peers);
  for (const [at, { address }] of peers) {
    if (address === undefined) continue;
    const path = ["bgp", "peers", at, "address"];
    const [owner] = present(nodes).filter(([, node]) =>
      present(node.address).some(([, own]) => isSameAddress(own, address))
    );
    if (owner !== undefined) {
      reading.wrong(
        path,
        `${address} is the address of ${
          owner[1].name ?? "a node"
        }; expected a router's, for the nodes know each other already`,
      );
      continue;
    }
    const no = noRouter({ clusterCIDR }, address);
    if (no !== undefined) {
      reading.wrong(path, `${address} is ${no}; expected a router's address`);
      continue;
    }
    const twin = peers.find(([before, peer]) =>
      before < at && peer.address !== undefined &&
      isSameAddress(peer.address, address)
    );
    if (twin !== undefined) {
      reading.wrong(
        path,
        `${address} is there twice (bgp.peers[${twin[0]}]); expected it once`,
      );
    }
    const without = present(nodes).find(([, node]) =>
      node.address !== undefined &&
      ofFamily(
          present(node.address).map(([, own]) => own),
          familyOf(address),
        ) ===
        undefined
    );
    if (without === undefined) continue;
    reading.wrong(
      path,
      `${address} is IPv${familyOf(address)}, and ${
        without[1].name ?? "a node"
      } has no such address; expected one of a family that all nodes have`,
    );
  }
}

/** What no router has as its address; by whole networks, with what they are. */
const noRouters: readonly (readonly [cidr: string, is: string])[] = [
  ["0.0.0.0/8", "no machine's address"],
  ["127.0.0.0/8", "each machine's own address"],
  ["169.254.0.0/16", "a link-local address"],
  ["224.0.0.0/3", "no single machine's address"],
  ["::/127", "each machine's own address, or none"],
  ["fe80::/10", "a link-local address"],
  ["ff00::/8", "no single machine's address"],
];

/** Why an address can be no router's; undefined where it can. */
function noRouter(
  { clusterCIDR }: Pick<Draft<InFile>, "clusterCIDR">,
  address: string,
): string | undefined {
  const within = (cidr: string) =>
    familyOf(cidr) === familyOf(address) &&
    containsAddress(parseCidr(cidr), address);
  const pods = present(clusterCIDR).find(([, cidr]) => within(cidr))?.[1];
  return pods !== undefined
    ? `of the pod network (${pods})`
    : noRouters.find(([cidr]) => within(cidr))?.[1];
}
