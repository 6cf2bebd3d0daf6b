// @ts-types="../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import {
  added,
  config,
  none,
  onNode,
  refused,
  type TestNode,
} from "./sandbox_testing.ts";

const modern = { ...config, cniVersion: "1.1.0" };

function valid(
  ...attachments: [containerID: string, ifname: string][]
): object {
  const list = attachments.map(([containerID, ifname]) => ({
    containerID,
    ifname,
  }));
  return { ...modern, "cni.dev/valid-attachments": list };
}

/** p1 with eth0 and eth1, p2 with eth0, and p1's eth2 on another network of the same bridge. */
async function crowd(node: TestNode): Promise<void> {
  const p1 = await node.pod("p1");
  const p2 = await node.pod("p2");
  await added(node, { pod: p1 });
  await added(node, { pod: p1, ifname: "eth1" });
  await added(node, { pod: p2 });
  await added(node, {
    pod: p1,
    ifname: "eth2",
    input: { ...config, name: "other" },
  });
}

async function aliases(node: TestNode): Promise<string[]> {
  const links: { ifalias?: string }[] = JSON.parse(
    await node.must(cmd`ip -j link show type veth`),
  );
  return links.map(({ ifalias }) => ifalias ?? "").sort();
}

onNode(
  "GC removes the veths and leases of attachments that are not in the list, and no others",
  async (node) => {
    await crowd(node);
    const said = await node.cni({
      command: "GC",
      input: valid(["p1", "eth1"], ["gone", "eth0"]),
    });
    assertEquals(said, none);
    assertEquals(await aliases(node), [
      "deno-cni deno-cni p1 eth1",
      "deno-cni other p1 eth2",
    ]);
    assertEquals(await node.leases(), ["10.244.1.3"]);
    assertEquals(await node.leases("other"), ["10.244.1.2"]);
  },
);

onNode(
  "GC with an empty list removes all of its network, however often",
  async (node) => {
    await crowd(node);
    for (let time = 0; time < 2; time++) {
      assertEquals(await node.cni({ command: "GC", input: valid() }), none);
      assertEquals(await aliases(node), ["deno-cni other p1 eth2"]);
      assertEquals(await node.leases(), []);
    }
  },
);

onNode(
  "GC with null for its list removes all: a Go runtime that knows of none sends it",
  async (node) => {
    await crowd(node);
    for (const key of ["cni.dev/valid-attachments", "cni.dev/attachments"]) {
      const input = { ...modern, [key]: null };
      assertEquals(await node.cni({ command: "GC", input }), none);
      assertEquals(await aliases(node), ["deno-cni other p1 eth2"]);
      assertEquals(await node.leases(), []);
    }
  },
);

onNode(
  "GC takes the key of early drafts where the other is absent, and only there",
  async (node) => {
    await crowd(node);
    const p1 = (ifname: string) => [{ containerID: "p1", ifname }];
    const both = {
      ...modern,
      "cni.dev/valid-attachments": [...p1("eth0"), ...p1("eth1")],
      "cni.dev/attachments": [],
    };
    assertEquals(await node.cni({ command: "GC", input: both }), none);
    assertEquals(await node.leases(), ["10.244.1.2", "10.244.1.3"]);
    const draft = { ...modern, "cni.dev/attachments": p1("eth1") };
    assertEquals(await node.cni({ command: "GC", input: draft }), none);
    assertEquals(await node.leases(), ["10.244.1.3"]);
    for (const wrong of [{}, "p1", [{ containerID: 7, ifname: "eth0" }]]) {
      const input = { ...modern, "cni.dev/attachments": wrong };
      await refused(
        node,
        { command: "GC", input },
        7,
        "cni.dev/attachments",
      );
    }
    assertEquals(await node.leases(), ["10.244.1.3"]);
  },
);

onNode("GC without a list is an error and removes nothing", async (node) => {
  await crowd(node);
  await refused(
    node,
    { command: "GC", input: modern },
    7,
    "cni.dev/valid-attachments",
  );
  const wrong = {
    ...modern,
    "cni.dev/valid-attachments": [{ containerID: "p1" }],
  };
  await refused(
    node,
    { command: "GC", input: wrong },
    7,
    "valid-attachments[0]",
    "ifname",
  );
  assertEquals((await node.leases()).length, 3);
});

onNode(
  "GC removes veths and leases that lost one another, and files that name nobody",
  async (node) => {
    await crowd(node);
    const store = "/run/deno-cni/networks/deno-cni";
    await node.must(cmd`rm ${store}/10.244.1.2`);
    await node.must(cmd`cp /dev/null ${store}/10.244.1.99`);
    await node.must(
      cmd`sh -c ${'ip -o link show type veth | grep p2 | cut -d" " -f2 | cut -d@ -f1 | xargs ip link del'}`,
    );
    assertEquals(
      await node.cni({ command: "GC", input: valid(["p1", "eth1"]) }),
      none,
    );
    assertEquals(await aliases(node), [
      "deno-cni deno-cni p1 eth1",
      "deno-cni other p1 eth2",
    ]);
    assertEquals(await node.leases(), ["10.244.1.3"]);
  },
);

onNode("GC goes on after an error and tells it", async (node) => {
  await crowd(node);
  // A lease that cannot be removed even by root: a folder of its name.
  const store = "/run/deno-cni/networks/deno-cni";
  await node.must(cmd`mkdir -p ${store}/10.244.1.77/full`);
  const said = await node.cni({ command: "GC", input: valid() });
  assertEquals(await aliases(node), ["deno-cni other p1 eth2"]);
  assertEquals(await node.leases(), ["10.244.1.77"]);
  assertEquals([said.exit, said.json.code], [1, 106], JSON.stringify(said));
});

onNode("GC knows long names by their hashes", async (node) => {
  const long = { ...modern, name: "n".repeat(240) };
  const p1 = { ...await node.pod("p1"), name: "a".repeat(100) };
  const p2 = { ...await node.pod("p2"), name: "b".repeat(100) };
  await added(node, { pod: p1, input: long });
  await added(node, { pod: p2, input: long });
  const stays = [{ containerID: p1.name, ifname: "eth0" }];
  const input = { ...long, "cni.dev/valid-attachments": stays };
  assertEquals(await node.cni({ command: "GC", input }), none);
  assertEquals((await aliases(node)).length, 1);
  assertEquals(await node.leases(long.name), ["10.244.1.2"]);
});
