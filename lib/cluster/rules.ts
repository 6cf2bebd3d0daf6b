/** What only shows when the values of a cluster file are looked at side by side. */
import { type Draft, present } from "./validate.ts";
import {
  addressNumber,
  addressText,
  type Family,
  familyOf,
  parseCidr,
} from "../net/cidr.ts";
import type { KeyPath, Reading } from "./yaml.ts";
import { checkCloud } from "./rules_cloud.ts";
import { checkKubernetes } from "./schema_kubernetes.ts";
import { checkPodCIDRs } from "./rules_pod_cidrs.ts";
import { type InFile, nodeMaskOf, pageHost } from "./schema.ts";
import { checkPlugin } from "./schema_plugin.ts";
import { checkSsh } from "./schema_ssh.ts";
import { checkOnSegments } from "./rules_segments.ts";
import { checkBgp } from "./rules_bgp.ts";
import { checkVxlan } from "./rules_vxlan.ts";

/** Notes what does not fit together, in what is right by itself. */
export function checkTogether(value: Draft<InFile>, reading: Reading): void {
  checkFamilies(value, reading);
  checkMasks(value, reading);
  checkRoom(value, reading);
  checkMtu(value, reading);
  checkVxlan(value, reading);
  checkBgp(value, reading);
  checkPlugin(value, reading);
  checkNodes(value, reading);
  checkSsh(value, reading);
  checkKubernetes(value, reading);
  checkCloud(value, reading);
  checkPodCIDRs(value, (node, at, message) => {
    const path: KeyPath = ["nodes", node, "podCIDRs"];
    reading.wrong(at === undefined ? path : [...path, at], message);
  });
  if (value.provider !== "lab" && value.podsPerNode !== undefined) {
    reading.wrong(
      ["podsPerNode"],
      "is for the workers of a lab; expected none",
    );
  }
  checkOnSegments(value, reading);
  if (value.provider !== "lab" && value.runtime === "containerd") {
    reading.wrong(
      ["runtime"],
      "containerd is for a lab's nodes; a machine that is no lab's has its own",
    );
  }
}

/** Lists that hold one of a family, and one of each family that the cluster has. */
function checkFamilies(value: Draft<InFile>, reading: Reading): void {
  const { clusterCIDR, segmentCIDR, outside, nodes } = value;
  checkList(clusterCIDR, ["clusterCIDR"], reading);
  const families = present(clusterCIDR).map(([, text]) => familyOf(text));
  const complete = (list: Texts, path: KeyPath): void => {
    checkList(list, path, reading);
    // What is wrong in a list has been told; it may be what is looked for.
    if (list === undefined || list.length > present(list).length) return;
    for (const family of new Set(families)) {
      if (list.some((text) => text && familyOf(text) === family)) continue;
      reading.wrong(
        path,
        `${
          list.join(", ")
        } holds no IPv${family}; expected one of each family that the clusterCIDR has`,
      );
    }
  };
  for (const [at, { address }] of present(nodes)) {
    complete(address, ["nodes", at, "address"]);
  }
  checkPages(value, reading);
  if (value.provider !== "lab") return;
  for (const [at, { cidr, router }] of present(value.segments)) {
    complete(cidr, ["segments", at, "cidr"]);
    complete(router, ["segments", at, "router"]);
  }
  if (value.segments === undefined) complete(segmentCIDR, ["segmentCIDR"]);
  complete(outside?.gateway, ["outside", "gateway"]);
  complete(outside?.address, ["outside", "address"]);
}

/** Pages are for machines that are no lab, and one a family. */
function checkPages(
  { provider, outside }: Draft<InFile>,
  reading: Reading,
): void {
  if (outside?.url === undefined) return;
  if (provider === "lab" || provider === "local") {
    reading.wrong(
      ["outside", "url"],
      `provider: ${provider} has an outside host of its own; expected ssh, aws or gcp`,
    );
    return;
  }
  const hosts = outside.url.map((url) => url && pageHost(url));
  checkList(hosts, ["outside", "url"], reading);
}

type Texts = readonly (string | undefined)[] | undefined;

/** Of each family one at most. */
function checkList(list: Texts, path: KeyPath, reading: Reading): void {
  const seen = new Map<Family, string>();
  for (const [at, text] of present(list)) {
    const first = seen.get(familyOf(text));
    if (first === undefined) seen.set(familyOf(text), text);
    else {
      reading.wrong(
        [...path, at],
        `${text} is of the same family as ${first}; expected one IPv4 and one IPv6 at most`,
      );
    }
  }
}

/**
 * A node's mask is as long as the cluster's or longer, by 16 bits at most: so
 * want kube-controller-manager and kubeadm's check of podSubnet.
 */
function checkMasks(value: Draft<InFile>, reading: Reading): void {
  const { clusterCIDR, nodeMask, nodes } = value;
  if (nodeMask && clusterCIDR && nodeMask.length !== clusterCIDR.length) {
    reading.wrong(
      ["nodeMask"],
      `there are ${nodeMask.length}; expected one for each clusterCIDR, ${clusterCIDR.length}`,
    );
    return;
  }
  for (const [at, text] of present(clusterCIDR)) {
    if (nodeMask !== undefined && nodeMask[at] === undefined) continue;
    const { prefixLength, family } = parseCidr(text);
    const mask = nodeMaskOf(value, text, at);
    const longest = longestMask[family];
    const most = Math.min(prefixLength + 16, longest);
    const subnets = 2 ** (mask - prefixLength);
    const said = nodeMask === undefined
      ? `the default of ${mask}`
      : String(mask);
    if (nodeMask !== undefined && mask > longest) {
      reading.wrong(
        ["nodeMask", at],
        `${said} ${tooFew}; expected ${longest} or less`,
      );
    } else if (mask < prefixLength || mask > most) {
      reading.wrong(
        nodeMask === undefined ? ["clusterCIDR", at] : ["nodeMask", at],
        nodeMask === undefined
          ? `${text} does not fit nodeMask's default of ${mask}; ` +
            `expected a nodeMask from ${prefixLength} to ${most}`
          : `${said} does not fit the clusterCIDR ${text}; expected ${prefixLength} to ${most}`,
      );
    } else if (nodes !== undefined && subnets < nodes.length) {
      reading.wrong(
        nodeMask === undefined ? ["clusterCIDR", at] : ["nodeMask", at],
        `${text} holds ${subnets} podCIDRs of /${mask}; ` +
          `expected ${nodes.length}, one for each node`,
      );
    }
  }
}

/** Longest masks that leave a node room for the gateway and two pods. */
const longestMask: Readonly<Record<Family, number>> = { 4: 29, 6: 125 };

const tooFew =
  "leaves a node room for fewer than the 2 pods that stage 09 starts";

/** A node's own podCIDR has the room that nodeMask has to leave. */
function checkRoom({ nodes }: Draft<InFile>, reading: Reading): void {
  for (const [node, { podCIDRs }] of present(nodes)) {
    for (const [at, text] of present(podCIDRs)) {
      const { prefixLength, family } = parseCidr(text);
      const longest = longestMask[family];
      if (prefixLength <= longest) continue;
      reading.wrong(
        ["nodes", node, "podCIDRs", at],
        `${text} ${tooFew}; expected /${longest} or shorter`,
      );
    }
  }
}

/** RFC 8200, section 5: no link of IPv6 has an MTU below 1280. */
function checkMtu({ mtu, clusterCIDR }: Draft<InFile>, reading: Reading): void {
  const least = present(clusterCIDR).some(([, text]) => familyOf(text) === 6)
    ? 1280
    : 68;
  if (mtu === undefined || mtu >= least) return;
  reading.wrong(
    ["mtu"],
    `${mtu} is too small for IPv6; expected ${least} or more`,
  );
}

function checkNodes(
  { nodes, provider }: Draft<InFile>,
  reading: Reading,
): void {
  if (nodes === undefined) return;
  const names = new Map<string, number>();
  const addresses = new Map<string, number>();
  for (const [at, { name, address }] of present(nodes)) {
    if (name !== undefined) {
      const first = names.get(name);
      if (first === undefined) names.set(name, at);
      else {
        reading.wrong(
          ["nodes", at, "name"],
          `${name} is the name of nodes[${first}] too; expected a name of its own`,
        );
      }
    }
    for (const [index, text] of present(address)) {
      const family = familyOf(text);
      const key = addressText(addressNumber(text), family);
      const first = addresses.get(key);
      if (first === undefined) addresses.set(key, at);
      // Twice at one node is told as two of a family.
      else if (first !== at) {
        reading.wrong(
          ["nodes", at, "address", index],
          `${text} is the address of nodes[${first}] too; expected an address of its own`,
        );
      }
    }
  }
  if (provider === "local" && nodes.length > 1) {
    reading.wrong(
      ["nodes"],
      `there are ${nodes.length}; expected one, since provider: local is this very machine`,
    );
  }
  // A role that is wrong has been told; it may be the one that is looked for.
  if (nodes.some((node) => node?.role === undefined)) return;
  const leaders = nodes.filter((node) => node?.role === "control-plane");
  if (leaders.length === 1) return;
  reading.wrong(
    ["nodes"],
    leaders.length === 0
      ? "there is no control plane; expected one node with role: control-plane"
      : `there are ${leaders.length} with role: control-plane; ` +
        "expected one, more are not supported",
  );
}
