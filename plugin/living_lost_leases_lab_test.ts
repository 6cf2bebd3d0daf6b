// @ts-types="../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  config,
  none,
  onNode,
  type Pod,
  refused,
  type TestNode,
} from "./sandbox_testing.ts";

const { subnet: _subnet, network: _network, ...rest } = config;
const dual = {
  ...rest,
  cniVersion: "1.1.0",
  subnets: ["10.244.1.0/24", "fd00:10:244:1::/64"],
};
const store = "/run/deno-cni/networks/deno-cni";

/** Three pods that live, with the addresses that end in 2, 3 and 4. */
async function three(node: TestNode, input: object = dual): Promise<Pod[]> {
  const pods: Pod[] = [];
  for (const name of ["p1", "p2", "p3"]) {
    const pod = await node.pod(name);
    pods.push(pod);
    await added(node, { pod, input });
  }
  return pods;
}

const all = [2, 3, 4].flatMap((n) => [`10.244.1.${n}`, `fd00:10:244:1::${n}`])
  .sort();

async function leases(node: TestNode): Promise<string[]> {
  return (await node.leases()).sort();
}

/** Ways in which leases get lost while their pods live. */
const losses = {
  "the network's folder": `rm -r ${store}`,
  "everything": "rm -r /run/deno-cni",
  "the leases alone": `rm ${store}/10.* ${store}/fd00*`,
  "one lease": `rm ${store}/10.244.1.3`,
  "the content of a lease": `rm ${store}/10.244.1.2; touch ${store}/10.244.1.2`,
  "the folder, made again empty": `rm -r ${store}; mkdir ${store}`,
};

onNode(
  "an ADD after leases were lost gives no address that a living pod has",
  async (node) => {
    await three(node);
    const seen = new Set(all);
    for (const [what, script] of Object.entries(losses)) {
      await node.must(cmd`sh -c ${script}`);
      const pod = await node.pod(`after-${what.replaceAll(/\W/g, "-")}`);
      const { json } = await added(node, { pod, input: dual });
      for (const { address } of json.ips ?? []) {
        const [ip = ""] = address.split("/");
        assertEquals(seen.has(ip), false, `${what}: ${ip} a second time`);
        seen.add(ip);
      }
      assertEquals(await leases(node), [...seen].sort(), what);
    }
    const lease = await node.must(cmd`cat ${store}/10.244.1.3`);
    assertEquals(lease, "p2\r\neth0");
  },
);

onNode(
  "an address that a living pod has is refused to a pod that asks for it",
  async (node) => {
    await three(node);
    await node.must(cmd`rm -r ${store}`);
    const pod = await node.pod("p4");
    const input = { ...dual, runtimeConfig: { ips: ["10.244.1.3"] } };
    await refused(node, { command: "ADD", pod, input }, 104, "p2 eth0");
  },
);

onNode("STATUS writes lost leases anew", async (node) => {
  await three(node);
  for (const [what, script] of Object.entries(losses)) {
    await node.must(cmd`sh -c ${script}`);
    const said = await node.cni({ command: "STATUS", input: dual });
    assertEquals(said, none, what);
    assertEquals(await leases(node), all, what);
  }
});

onNode(
  "GC writes lost leases anew, but for pods that are not valid",
  async (node) => {
    await three(node);
    await node.must(cmd`rm -r /run/deno-cni`);
    const valid = ["p1", "p3"]
      .map((containerID) => ({ containerID, ifname: "eth0" }));
    const input = { ...dual, "cni.dev/valid-attachments": valid };
    assertEquals(await node.cni({ command: "GC", input }), none);
    assertEquals(await leases(node), all.filter((ip) => !ip.endsWith("3")));
  },
);

onNode(
  "a DEL after leases were lost keeps those of the pods that live",
  async (node) => {
    const [pod] = await three(node);
    await node.must(cmd`sh -c ${losses["the leases alone"]}`);
    const del = { command: "DEL", pod: pod!, input: dual };
    assertEquals(await node.cni(del), none);
    assertEquals(await leases(node), all.filter((ip) => !ip.endsWith("2")));
  },
);

onNode(
  "pods of another network on the same bridge are no leases of this one",
  async (node) => {
    await three(node);
    const other = { ...dual, name: "deno" };
    const pod = await node.pod("p9");
    await added(node, { pod, input: other });
    assertEquals((await node.leases("deno")).sort(), [
      "10.244.1.2",
      "fd00:10:244:1::2",
    ]);
  },
);

onNode(
  "a pod that is gone leaves no lease behind when leases are restored",
  async (node) => {
    const [pod] = await three(node);
    await pod!.end();
    await node.must(cmd`sh -c ${losses["the leases alone"]}`);
    await added(node, { pod: await node.pod("p4"), input: dual });
    assertEquals((await leases(node)).length, 6);
  },
);
