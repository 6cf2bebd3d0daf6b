/** Many at once, and many in a row. */
// @ts-types="../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd } from "../lib/exec/command.ts";
import { added, config, none, onNode } from "./sandbox_testing.ts";

onNode(
  "100 ADDs at once get distinct addresses, and 100 DELs at once leave nothing",
  async (node) => {
    const pods = await Promise.all(
      Array.from({ length: 4 }, (_, at) => node.pod(`p${at}`)),
    );
    // 25 interfaces in each of four pods, and no bridge to begin with.
    const calls = pods.flatMap((pod) =>
      Array.from({ length: 25 }, (_, at) => ({ pod, ifname: `eth${at}` }))
    );
    const results = await Promise.all(calls.map((call) => added(node, call)));
    const addresses = new Set(
      results.map(({ json }) => json.ips?.[0]?.address),
    );
    assertEquals(addresses.size, 100);
    assertEquals((await node.leases()).length, 100);
    assertEquals((await node.links()).length, 101);
    const gone = await Promise.all(
      calls.map((call) => node.cni({ command: "DEL", ...call })),
    );
    assertEquals(gone, gone.map(() => none));
    assertEquals([await node.links(), await node.leases()], [["cni0"], []]);
  },
);

onNode(
  "ADDs, DELs and GCs of two networks on one bridge at once keep out of each other's way",
  async (node) => {
    const networks = ["one", "two"].map((name) => ({
      ...config,
      cniVersion: "1.1.0",
      name,
    }));
    const stays = await node.pod("stays");
    const [one, two] = networks;
    await added(node, { pod: stays, input: one! });
    const comeAndGo = Array.from({ length: 10 }, async (_, at) => {
      const pod = await node.pod(`p${at}`);
      await added(node, { pod, input: two! });
      const gc = {
        ...one!,
        "cni.dev/valid-attachments": [{ containerID: "stays", ifname: "eth0" }],
      };
      assertEquals(await node.cni({ command: "GC", input: gc }), none);
      assertEquals((await pod.run(cmd`ip link show eth0`)).code, 0);
      assertEquals(await node.cni({ command: "DEL", pod, input: two! }), none);
    });
    await Promise.all(comeAndGo);
    assertEquals([await node.leases("one"), await node.leases("two")], [[
      "10.244.1.2",
    ], []]);
    assertEquals((await node.links()).length, 2);
  },
);

onNode("many pairs of ADD and DEL leave what one leaves", async (node, way) => {
  const pairs = way === "cold" ? 80 : 60;
  const pod = await node.pod("p1");
  const files = async () =>
    (await node.must(cmd`find /run/deno-cni/networks -type f`)).trim().split(
      "\n",
    )
      .length;
  const pair = async () => {
    await added(node, { pod });
    assertEquals(await node.cni({ command: "DEL", pod }), none);
  };
  await pair();
  const before = await files();
  for (let at = 0; at < pairs; at++) await pair();
  assertEquals([await files(), await node.links(), await node.leases()], [
    before,
    ["cni0"],
    [],
  ]);
});
