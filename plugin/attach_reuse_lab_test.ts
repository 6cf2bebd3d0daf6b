// @ts-types="../lib/std/assert.d.ts"
import { assertEquals, assertNotEquals } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  config,
  none,
  onNode,
  type Pod,
  type TestNode,
} from "./sandbox_testing.ts";

const { subnet: _subnet, network: _network, ...rest } = config;
const dual = { ...rest, subnets: ["10.244.1.0/29", "fd00:10:244:1::/125"] };

async function answers(from: TestNode | Pod, ...addresses: string[]) {
  for (const address of addresses) {
    const { code, stdout } = await from.run(cmd`ping -c 1 -W 1 ${address}`);
    assertEquals(code, 0, stdout);
  }
}

/** Ends a pod whose addresses all others know, and gives them to another pod. */
async function givenAgain(
  node: TestNode,
  input: object,
  again: { runtimeConfig?: { mac?: string; ips?: string[] } },
): Promise<[first: string, second: string]> {
  const neighbour = await node.pod("neighbour");
  await added(node, { pod: neighbour, input });
  const first = await node.pod("first");
  const { json } = await added(node, { pod: first, input });
  const addresses = json.ips?.map(({ address }) => address.split("/")[0]!) ??
    [];
  await answers(node, ...addresses);
  await answers(neighbour, ...addresses);
  assertEquals(await node.cni({ command: "DEL", pod: first, input }), none);
  const second = await node.pod("second");
  const { json: after } = await added(node, {
    pod: second,
    input: {
      ...input,
      runtimeConfig: { ips: addresses, ...again.runtimeConfig },
    },
  });
  await answers(neighbour, ...addresses);
  await answers(node, ...addresses);
  return [json.interfaces?.[2]?.mac ?? "", after.interfaces?.[2]?.mac ?? ""];
}

onNode(
  "addresses given again answer at once, from the node and from other pods",
  async (node) => {
    const [first, second] = await givenAgain(node, dual, {});
    // Also where the announcement was lost.
    assertEquals(second, first);
    assertEquals(first, "0a:58:0a:f4:01:03");
  },
);

onNode(
  "addresses given again with another MAC answer at once",
  async (node) => {
    const mac = "02:00:00:00:00:07";
    const macs = await givenAgain(node, dual, { runtimeConfig: { mac } });
    assertEquals(macs[1], mac);
    assertNotEquals(macs[0], mac);
  },
);

onNode(
  "an IPv6 address given again answers at once, with its MAC or another",
  async (node) => {
    const six = { ...rest, subnet: "fd00:10:244:1::/64" };
    const [first, second] = await givenAgain(node, six, {});
    assertEquals(second, first);
    const other = { ...rest, name: "other", subnet: "fd00:10:244:1::/64" };
    for (const name of ["neighbour", "second"]) {
      const pod = { ...await node.pod(name), name };
      assertEquals(await node.cni({ command: "DEL", pod, input: six }), none);
    }
    const mac = "02:00:00:00:00:07";
    await givenAgain(node, other, { runtimeConfig: { mac } });
  },
);

onNode(
  "IPv6 addresses that end alike have MACs of their own",
  async (node) => {
    const macs = new Set<string>();
    for (const ip of ["fd00::5", "fd00::1:0:5", "fd00::1:0:0:5"]) {
      const input = {
        ...rest,
        subnet: "fd00::/64",
        runtimeConfig: { ips: [ip] },
      };
      const { json } = await added(node, {
        pod: await node.pod(ip.replaceAll(":", "_")),
        input,
      });
      macs.add(json.interfaces?.[2]?.mac ?? "");
    }
    assertEquals(macs.size, 3);
  },
);

onNode(
  "in a subnet that is full, the one address that is free answers at once",
  async (node) => {
    const input = { ...config, subnet: "10.244.1.0/29" };
    const pods: Pod[] = [];
    for (let at = 0; at < 5; at++) {
      pods.push(await node.pod(`p${at}`));
      await added(node, { pod: pods[at]!, input });
    }
    await answers(node, "10.244.1.4");
    await answers(pods[0]!, "10.244.1.4");
    const pod = pods[2]!;
    assertEquals(await node.cni({ command: "DEL", pod, input }), none);
    const { json } = await added(node, { pod: await node.pod("new"), input });
    assertEquals(json.ips?.[0]?.address, "10.244.1.4/29");
    await answers(pods[0]!, "10.244.1.4");
    await answers(node, "10.244.1.4");
  },
);
