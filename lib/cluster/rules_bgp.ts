/** Whether the key `bgp` fits the rest of a cluster file. */
import { type Draft, present } from "./validate.ts";
import { containsAddress, familyOf, ofFamily, parseCidr } from "../net/cidr.ts";
import { checkKind } from "./rules_kind.ts";
import { isSameAddress } from "./rules_segment.ts";
import { checkPeerOnSegment } from "./rules_segments.ts";
import type { InFile } from "./schema.ts";
import { notOneMachines } from "./schema_address.ts";
import type { Reading } from "./yaml.ts";

/** Notes what does not fit the rest of the file. */
export function checkBgp(value: Draft<InFile>, reading: Reading): void {
  const { bgp, nodes } = value;
  if (bgp === undefined || checkKind(value, "bgp", reading)) return;
  const names = present(nodes).map(([, { name }]) => name);
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

function checkPeers(value: Draft<InFile>, reading: Reading): void {
  const { bgp, nodes, clusterCIDR } = value;
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
    if (without === undefined) {
      checkPeerOnSegment(value, address, path, reading);
      continue;
    }
    reading.wrong(
      path,
      `${address} is IPv${familyOf(address)}, and ${
        without[1].name ?? "a node"
      } has no such address; expected one of a family that all nodes have`,
    );
  }
}

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
    : notOneMachines.find(([cidr]) => within(cidr))?.[1];
}
