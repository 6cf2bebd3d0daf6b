/** What is read of a lab's router and nodes: why segments do not reach each other. */
// @ts-types="../../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { inFamily } from "../../cluster/address_family.ts";
import type { Cluster } from "../../cluster/cluster.ts";
import { twoSegmentsCluster } from "../../cluster/cluster_testing.ts";
import type { Family } from "../../net/cidr.ts";
import { readInterfaceValues } from "../../net/interface_settings.ts";
import type { KernelSurvey, PathLink } from "../kernel_path/survey.ts";
import { remedyLine } from "../remedy.ts";
import { ownFacts } from "./own_way.ts";
import type { RouterAnswer } from "./router_answer.ts";
import { routerWidth } from "./router_width.ts";
import { waysBetween } from "./way.ts";
import { wayFault } from "./way_fault.ts";

const whole = twoSegmentsCluster({ name: "lab", stateDir: "/nowhere" });

const link = (
  ifname: string,
  addresses: readonly string[],
  more: Partial<PathLink> = {},
): PathLink => ({
  ...{ ifname, ifindex: 1, mtu: 1500, link_type: "ether" },
  flags: ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
  addr_info: addresses.map((cidr) => {
    const [local = "", length] = cidr.split("/");
    return { local, prefixlen: Number(length), scope: "global" };
  }),
  ...more,
});

/** What `ip -j route` and `ip -6 -j route` print, as lines of `ip route` say it. */
const routes = (...lines: readonly string[]): string => {
  const parsed = lines.map((line) => {
    const words = line.split(" ");
    const after = (word: string) =>
      words.includes(word) ? words[words.indexOf(word) + 1] : undefined;
    return { dst: words[0], gateway: after("via"), dev: after("dev") };
  });
  const of = (six: boolean) =>
    JSON.stringify(
      parsed.filter(({ dst = "", gateway = "" }) =>
        (dst + gateway).includes(":") === six
      ),
    );
  return `${of(false)}\n${of(true)}`;
};

interface Machine {
  readonly links: readonly PathLink[];
  readonly routes: readonly string[];
}

const router: Machine = {
  links: [
    link("eth0", ["10.0.1.2/24", "fd00:10:0:1::2/64"]),
    link("segment-2", []),
    link("eth1", ["10.0.2.1/24", "fd00:10:0:2::1/64"]),
    link("worker-2", [], { master: "segment-2" }),
  ],
  routes: [
    ...["default via 10.0.1.1 dev eth0", "10.0.1.0/24 dev eth0"],
    ...["10.0.2.0/24 dev eth1", "default via fd00:10:0:1::1 dev eth0"],
    ...["fd00:10:0:1::/64 dev eth0", "fd00:10:0:2::/64 dev eth1"],
  ],
};

const near: Machine = {
  links: [link("eth0", ["10.0.1.11/24", "fd00:10:0:1::11/64"])],
  routes: [
    ...["default via 10.0.1.1 dev eth0", "10.0.1.0/24 dev eth0"],
    ...["10.0.2.0/24 via 10.0.1.2 dev eth0", "fd00:10:0:1::/64 dev eth0"],
    "default via fd00:10:0:1::1 dev eth0",
    "fd00:10:0:2::/64 via fd00:10:0:1::2 dev eth0",
  ],
};

const far: Machine = {
  links: [link("eth0", ["10.0.2.12/24", "fd00:10:0:2::12/64"])],
  routes: [
    ...["default via 10.0.2.1 dev eth0", "10.0.2.0/24 dev eth0"],
    "default via fd00:10:0:2::1 dev eth0",
    "fd00:10:0:2::/64 dev eth0",
  ],
};

interface Scene {
  readonly router?: Partial<Machine> | "gone";
  readonly near?: Partial<Machine>;
  readonly far?: Partial<Machine>;
  readonly settings?: string;
  /** Other parts of the router's answer. */
  readonly parts?: Readonly<Record<string, string>>;
  readonly routes?: Cluster["routes"];
  readonly family?: Family;
}

/** What keeps pods of worker-1 from pods of worker-2, and what mends that. */
function found(scene: Scene): { what: string; on: string; mend: string[] } {
  const { settings = "", parts = {}, family = 4 } = scene;
  const { vxlan, ...plain } = whole;
  const routed: Cluster = scene.routes === "bgp"
    ? { ...plain, routes: "bgp", bgp: { as: 64512, peers: [] } }
    : { ...plain, ...(vxlan === undefined ? {} : { vxlan }) };
  const cluster = inFamily(routed, family);
  const survey = (
    node: string,
    machine: Machine,
    more: Readonly<Record<string, string>> = {},
  ): KernelSurvey => ({
    space: { node },
    links: machine.links,
    parts: new Map(
      Object.entries({ routes: routes(...machine.routes), ...more }),
    ),
  });
  const nodes = new Map([
    ["worker-1", survey("worker-1", { ...near, ...scene.near })],
    ["worker-2", survey("worker-2", { ...far, ...scene.far })],
  ]);
  const answer: RouterAnswer = scene.router === "gone"
    ? { is: "gone", why: "not running: make 01-provision" }
    : {
      is: "read",
      survey: survey("router", { ...router, ...scene.router }, parts),
      settings: readInterfaceValues(
        "ipv4/conf/all/forwarding:1\nipv6/conf/all/forwarding:1\n" + settings,
      ),
    };
  const [, one, other] = cluster.nodes;
  assert(one && other);
  const ways = waysBetween(cluster, one, other, true);
  const cause = wayFault(
    cluster,
    ways,
    answer,
    (name) => ownFacts(nodes.get(name)),
  );
  return {
    what: cause?.what ?? "nothing",
    on: cause?.on ?? "nowhere",
    mend: (cause?.remedies ?? []).map((one) => remedyLine(one, whole)),
  };
}

const without = (list: readonly string[], gone: string) =>
  list.filter((one) => !one.startsWith(`${gone} `));

const saved = (rule: string) =>
  `*filter\n:FORWARD ACCEPT [0:0]\n${rule}\nCOMMIT\n`;

interface Case {
  readonly name: string;
  readonly scene: Scene;
  readonly on: string;
  readonly what: string;
  readonly mend: string;
}

const cases: readonly Case[] = [{
  name: "is gone",
  scene: { router: "gone", far: { links: [], routes: [] } },
  on: "router",
  what: "the router between the segments is gone, and with it all but the " +
    "first of them: 10.0.2.0/24",
  mend: "make up",
}, {
  name: "does not forward",
  scene: { settings: "ipv4/conf/all/forwarding:0\n" },
  on: "router",
  what: "does not forward IPv4: net.ipv4.ip_forward is 0",
  mend: 'NODE=router ARGS="-- sysctl -w net.ipv4.ip_forward=1"',
}, {
  name: "does not forward what comes by one link",
  scene: { settings: "ipv4/conf/eth1/forwarding:0\n" },
  on: "router",
  what: "net.ipv4.conf.eth1.forwarding is 0",
  mend: "sysctl -w net.ipv4.conf.eth1.forwarding=1",
}, {
  name: "has no route to a segment",
  scene: { router: { routes: without(router.routes, "10.0.2.0/24") } },
  on: "router",
  what: "has no route to 10.0.2.0/24: what is for worker-2 (10.0.2.12) goes " +
    "by its default route",
  mend: "ip route replace 10.0.2.0/24 dev eth1 src 10.0.2.1",
}, {
  name: "sends one node's elsewhere",
  scene: {
    router: {
      routes: [...router.routes, "10.0.1.11/32 via 10.0.2.99 dev eth1"],
    },
  },
  on: "router",
  what:
    "sends what is for worker-1 (10.0.1.11) elsewhere than to its segment: " +
    "10.0.1.11/32 via 10.0.2.99 dev eth1",
  mend: "ip route del 10.0.1.11/32",
}, {
  name: "lacks its address",
  scene: {
    router: {
      links: router.links.map((one) =>
        one.ifname === "eth1" ? link("eth1", ["fd00:10:0:2::1/64"]) : one
      ),
    },
  },
  on: "router",
  what: "eth1 of the router lacks 10.0.2.1",
  mend: "ip addr add 10.0.2.1/24 dev eth1",
}, {
  name: "has a link that is down",
  scene: {
    router: {
      links: router.links.map((one) =>
        one.ifname === "eth1" ? { ...one, flags: [] } : one
      ),
    },
  },
  on: "router",
  what: "eth1 of the router, its link to 10.0.2.0/24, is down",
  mend: "ip link set dev eth1 up",
}, {
  name: "has the node's cable in another segment",
  scene: {
    router: {
      links: router.links.map((one) =>
        one.ifname === "worker-2" ? { ...one, master: "segment-3" } : one
      ),
    },
  },
  on: "router",
  what: "the cable of worker-2 is plugged into segment-3",
  mend: "ip link set dev worker-2 master segment-2",
}, {
  name: "drops the tunnels' port",
  scene: {
    parts: {
      iptables: saved("-A FORWARD -p udp -m udp --dport 8472 -j DROP"),
    },
  },
  on: "router",
  what: "a rule of FORWARD in the table filter of iptables on router says DROP",
  mend: "-D FORWARD -p udp -m udp --dport 8472 -j DROP",
}, {
  name: "drops BGP's port",
  scene: {
    routes: "bgp",
    parts: {
      iptables: saved("-A FORWARD -p tcp -m tcp --dport 179 -j DROP"),
    },
  },
  on: "router",
  what: "says DROP to TCP",
  mend: "-D FORWARD -p tcp -m tcp --dport 179 -j DROP",
}, {
  name: "drops the tunnels' port by nftables",
  scene: {
    parts: {
      nft: JSON.stringify({
        nftables: [{
          chain: {
            ...{ family: "inet", table: "fw", name: "forward" },
            ...{ hook: "forward", policy: "accept" },
          },
        }, {
          rule: {
            ...{ family: "inet", table: "fw", chain: "forward", handle: 4 },
            expr: [{
              match: {
                op: "==",
                left: { payload: { protocol: "udp", field: "dport" } },
                right: 8472,
              },
            }, { drop: null }],
          },
        }],
      }),
    },
  },
  on: "router",
  what: "inet fw",
  mend: "nft delete rule inet fw forward handle 4",
}, {
  name: "is passed by, for a node has another gateway",
  scene: {
    far: {
      routes: [
        "default via 10.0.2.77 dev eth0",
        ...without(far.routes, "default"),
      ],
    },
  },
  on: "worker-2",
  what:
    "worker-2 sends what is for worker-1 (10.0.1.11) by 10.0.2.77, and the " +
    "router of its segment is 10.0.2.1",
  mend: "ip route replace default via 10.0.2.1",
}, {
  name: "is passed by, for a node has no route",
  scene: { far: { routes: ["10.0.2.0/24 dev eth0"] } },
  on: "worker-2",
  what: "worker-2 has no route to worker-1 (10.0.1.11)",
  mend: "ip route replace default via 10.0.2.1",
}, {
  name: "is passed by, for a node takes all for its segment",
  scene: {
    near: {
      links: [link("eth0", ["10.0.1.11/16"])],
      routes: ["default via 10.0.1.1 dev eth0", "10.0.0.0/16 dev eth0"],
    },
  },
  on: "worker-1",
  what: "worker-1 has the address 10.0.1.11/16, and its segment is " +
    "10.0.1.0/24: it looks for worker-2 (10.0.2.12) on its own link",
  mend: "ip addr del 10.0.1.11/16 dev eth0",
}];

for (const { name, scene, on, what, mend } of cases) {
  Deno.test(`segments do not reach each other: the router ${name}`, () => {
    const seen = found(scene);
    assertStringIncludes(seen.what, what);
    assertEquals(seen.on, on);
    assertStringIncludes(seen.mend.join("\n"), mend);
  });
}

Deno.test("a node whose prefix is too short loses nothing where more exact routes lead to the router", () => {
  const links = [link("eth0", ["10.0.1.11/16"])];
  const routes = [...near.routes, "10.0.0.0/16 dev eth0"];
  assertEquals(found({ near: { links, routes } }).what, "nothing");
});

Deno.test("a router that passes on what it has to is no cause, whatever else it drops", () => {
  const other = saved(
    "-A FORWARD -p tcp -m tcp --dport 8472 -j DROP\n" +
      "-A FORWARD -p udp -m udp --dport 53 -j DROP\n" +
      "-A FORWARD -s 10.0.1.77/32 -j DROP",
  );
  for (const family of [4, 6] as const) {
    assertEquals(found({ family, parts: { iptables: other } }).what, "nothing");
    assertEquals(found({ family, routes: "bgp" }).what, "nothing");
  }
});

Deno.test("a link of the router that takes less than its segment is named, unless the segment takes no more", () => {
  const narrow = router.links.map((one) =>
    one.ifname === "eth1" ? { ...one, mtu: 1300 } : one
  );
  const answer: RouterAnswer = {
    is: "read",
    survey: { space: { node: "router" }, links: narrow, parts: new Map() },
    settings: new Map(),
  };
  const [, one, other] = whole.nodes;
  assert(one && other);
  const ways = waysBetween(whole, one, other, true);
  const cause = routerWidth(whole, ways, answer);
  assertStringIncludes(
    cause?.what ?? "nothing",
    "eth1 of the router takes packets of 1300 bytes, and its segment 1500",
  );
  assertStringIncludes(
    cause?.remedies.map((one) => remedyLine(one, whole)).join() ?? "",
    'NODE=router ARGS="-- ip link set dev eth1 mtu 1500"',
  );
  const [first, second] = whole.segments ?? [];
  assert(first && second);
  const fits = { ...whole, segments: [first, { ...second, mtu: 1300 }] };
  assertEquals(routerWidth(fits, ways, answer), undefined);
});

Deno.test("tunnels over IPv4 count for pods of IPv6, too", () => {
  const seen = found({ family: 6, settings: "ipv4/conf/all/forwarding:0\n" });
  assertStringIncludes(seen.what, "does not forward IPv4");
});
