/** Clusters for tests of pictures, as large as they are wanted. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Host, Inventory, InventoryLink } from "../inventory/inventory.ts";
import { character } from "./layout.ts";
import { type StageName, stageNames } from "../stage/stage.ts";

/** A link that is as it should be. */
export function link(
  name: string,
  index: number,
  more: Partial<InventoryLink> = {},
): InventoryLink {
  return {
    name,
    index,
    up: true,
    carrier: true,
    mtu: 1500,
    addresses: [],
    ...more,
  };
}

/** A cluster of so many nodes with podCIDRs. */
export function clusterOf(nodes: number): Cluster {
  const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
  return {
    ...cluster,
    nodes: Array.from({ length: nodes }, (_, at) => ({
      name: at === 0 ? "master" : `worker-${at}`,
      role: at === 0 ? "control-plane" as const : "worker" as const,
      address: `10.0.1.${10 + at}`,
      addresses: [`10.0.1.${10 + at}`],
      podCIDRs: [`10.244.${at}.0/24`],
    })),
  };
}

/** A cluster as it is after all stages up to the given one, with so many pods on each worker. */
export function inventoryOf(
  cluster: Cluster,
  pods: number,
  last: StageName = "09-verify",
): Inventory {
  const complete = stageNames.slice(0, stageNames.indexOf(last) + 1);
  return {
    version: 1,
    cluster: cluster.name,
    at: "2026-01-01T00:00:00.000Z",
    nodes: cluster.nodes.map(({ name, role, address, podCIDRs }, at) => ({
      name,
      role,
      address,
      podCIDRs,
      host: hostOf(cluster, at, role === "worker" ? pods : 0, complete),
    })),
    outside: { ...hostOf(cluster, -1, 0, []), links: [] },
  };
}

function hostOf(
  { nodes }: Cluster,
  at: number,
  pods: number,
  complete: readonly StageName[],
): Host {
  const has = (stage: StageName) => complete.includes(stage);
  const address = `10.0.1.${10 + at}`;
  return {
    is: "read",
    complete,
    links: [
      link("eth0", 2, { addresses: [{ address, prefixLength: 24 }] }),
      ...(has("04-bridge")
        ? [link("cni0", 3, {
          kind: "bridge",
          addresses: [{ address: `10.244.${at}.1`, prefixLength: 24 }],
        })]
        : []),
    ],
    routes: has("08-routes")
      ? nodes.flatMap(({ podCIDRs: [to = ""], address: via }, other) =>
        other === at
          ? []
          : [{ family: 4, to, via, dev: "eth0", protocol: "244" }]
      )
      : [],
    forward: [{
      family: 4,
      policy: "DROP",
      rules: has("06-forwarding")
        ? [
          "-A FORWARD -s 10.244.0.0/16 -j ACCEPT",
          "-A FORWARD -d 10.244.0.0/16 -j ACCEPT",
        ]
        : [],
    }],
    postrouting: [{
      family: 4,
      policy: "ACCEPT",
      rules: has("07-masquerade")
        ? [
          `-A POSTROUTING -s 10.244.${at}.0/24 ! -d 10.244.0.0/16 ! -o cni0 -j MASQUERADE`,
        ]
        : [],
    }],
    sysctls: { "net.ipv4.ip_forward": has("06-forwarding") ? "1" : "0" },
    pods: Array.from({ length: pods }, (_, pod) => {
      const addresses = [{
        address: `10.244.${at}.${pod + 2}`,
        prefixLength: 24,
      }];
      return {
        name: `pod-${pod}`,
        links: [link("eth0", 2, { addresses })],
        addresses,
        gateways: [`10.244.${at}.1`],
        hostLink: link(`veth${pod}`, 10 + pod, {
          kind: "veth",
          master: "cni0",
        }),
      };
    }),
    leases: [],
    brokenLeases: [],
    plugins: ["deno-cni"],
  };
}

/** The same with one node's machine changed. */
export function withHost(
  inventory: Inventory,
  name: string,
  change: (host: Host) => Inventory["nodes"][number]["host"],
): Inventory {
  return {
    ...inventory,
    nodes: inventory.nodes.map((node) =>
      node.name === name && node.host.is === "read"
        ? { ...node, host: change(node.host) }
        : node
    ),
  };
}

interface Text {
  readonly x: number;
  readonly y: number;
  readonly anchor: string;
  readonly size: number;
  readonly text: string;
}

/** The texts of an SVG, with where they stand. */
export function textsOf(svg: string): readonly Text[] {
  return [...svg.matchAll(/<text ([^>]*)>([^<]*)<\/text>/g)].map(
    ([, attributes = "", text = ""]) => {
      const of = (name: string) =>
        new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";
      return {
        x: Number(of("x")),
        y: Number(of("y")),
        anchor: /number/.test(of("class")) ? "middle" : of("text-anchor"),
        size: /name/.test(of("class")) ? 14 / 12 : 1,
        text: text.replaceAll(/&\w+;/g, "&"),
      };
    },
  );
}

function spread({ x, text, anchor, size }: Text): [number, number] {
  const width = text.length * character * size;
  if (anchor === "end") return [x - width, x];
  return anchor === "middle" ? [x - width / 2, x + width / 2] : [x, x + width];
}

/** Checks that no two texts lie over each other, and none leaves the picture. */
export function checkTexts(svg: string): void {
  const [, width, height] = /viewBox="0 0 ([\d.]+) ([\d.]+)"/.exec(svg) ?? [];
  const texts = textsOf(svg);
  for (const one of texts) {
    const [from, to] = spread(one);
    assert(from >= 0 && to <= Number(width), `leaves the picture: ${one.text}`);
    assert(one.y > 0 && one.y < Number(height), `below: ${one.text}`);
    for (const other of texts) {
      if (one === other || Math.abs(one.y - other.y) >= 12) continue;
      const [start, end] = spread(other);
      assert(
        to <= start || end <= from,
        `"${one.text}" lies over "${other.text}"`,
      );
    }
  }
}

/** Checks that every element that is opened is closed, in turn. */
export function checkXml(svg: string): void {
  const open: string[] = [];
  for (
    const [, slash, name, self] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)
  ) {
    if (self === "/") continue;
    if (slash === "") open.push(name ?? "");
    else assertEquals(open.pop(), name);
  }
  assertEquals(open, []);
}
