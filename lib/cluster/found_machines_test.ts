// @ts-types="../std/assert.d.ts"
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClusterFileError } from "./yaml.ts";
import { readAws, readGcp } from "./found_machines.ts";
import { projectRoot } from "../exec/project_root.ts";
import { loadCluster } from "./load.ts";

// The form of `terraform output -json`: https://developer.hashicorp.com/terraform/cli/commands/output
const outputs = {
  machines: {
    sensitive: false,
    type: "object",
    value: {
      "worker-1": {
        id: "i-1",
        address: "10.0.1.11",
        interface_id: "eni-1",
        public_address: "198.51.100.11",
      },
    },
  },
  route_table_id: { sensitive: false, type: "string", value: "rtb-1" },
};

const instances = [{
  name: "try-worker-1",
  networkInterfaces: [{
    accessConfigs: [{ natIP: "198.51.100.21" }],
    networkIP: "10.0.1.11",
  }],
}, { name: "another-cluster-worker-1" }];

async function inFolder(
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("readAws() gives each node's instance, interface and address, and the route table", () => {
  const { machines, routeTableId } = readAws(JSON.stringify(outputs), "m");
  assertEquals(routeTableId, "rtb-1");
  assertEquals([...machines], [["worker-1", {
    id: "i-1",
    interfaceId: "eni-1",
    publicAddress: "198.51.100.11",
  }]]);
});

Deno.test("a stopped machine has no address from outside", () => {
  const stopped = structuredClone(outputs);
  stopped.machines.value["worker-1"].public_address = "";
  const { machines } = readAws(JSON.stringify(stopped), "m");
  assertEquals(machines.get("worker-1"), { id: "i-1", interfaceId: "eni-1" });
  const list = [{
    name: "try-worker-1",
    networkInterfaces: [{ accessConfigs: [{}] }],
  }];
  const gcp = readGcp(JSON.stringify(list), "m", "try", ["worker-1"]);
  assertEquals(gcp.machines.get("worker-1"), { id: "try-worker-1" });
});

Deno.test("readGcp() gives the instances of this cluster's nodes alone", () => {
  const { machines } = readGcp(JSON.stringify(instances), "m", "try", [
    "master",
    "worker-1",
  ]);
  assertEquals([...machines], [["worker-1", {
    id: "try-worker-1",
    publicAddress: "198.51.100.21",
  }]]);
});

Deno.test("what is no output of theirs is refused, with the file and what to do", () => {
  for (
    const [content, what] of [
      ["", "not JSON"],
      ["{}", "there are no outputs machines and route_table_id"],
      ["[]", "there are no outputs machines and route_table_id"],
      [
        JSON.stringify({ ...outputs, machines: { value: { a: {} } } }),
        "a has no id or no interface_id",
      ],
    ] as const
  ) {
    const error = assertThrows(
      () => readAws(content, "/s/m.json"),
      ClusterFileError,
    );
    assertEquals(error.mistakes, [
      `/s/m.json: ${what}; remove it and run 01-provision again`,
    ]);
  }
  assertThrows(
    () => readGcp("{}", "m", "try", []),
    ClusterFileError,
    "expected a list of instances",
  );
});

Deno.test("loadCluster() gives each node its machine, and ssh the way to it, by what 01 made", () =>
  inFolder(async (folder) => {
    const file = `${projectRoot}/config/aws.yaml`;
    const before = await loadCluster(file, { stateRoot: folder });
    assertEquals(before.nodes[1]?.machine, undefined);
    assertEquals(before.nodes[1]?.ssh, undefined);
    await Deno.mkdir(`${folder}/aws`);
    await Deno.writeTextFile(
      `${folder}/aws/machines.json`,
      JSON.stringify(outputs),
    );
    const after = await loadCluster(file, { stateRoot: folder });
    assertEquals(after.routeTableId, "rtb-1");
    assertEquals(after.nodes[0], before.nodes[0], "a node without a machine");
    assertEquals(after.nodes[1]?.machine?.id, "i-1");
    assertEquals(after.nodes[1]?.ssh, {
      user: "ubuntu",
      identityFile: `${folder}/aws/ssh/id_ed25519`,
      host: "198.51.100.11",
    });
    await Deno.writeTextFile(`${folder}/aws/machines.json`, "{");
    await assertRejects(
      () => loadCluster(file, { stateRoot: folder }),
      ClusterFileError,
      "not JSON",
    );
  }));

Deno.test("what the cluster file says of ssh beats what 01 found out", () =>
  inFolder(async (folder) => {
    const text = await Deno.readTextFile(`${projectRoot}/config/aws.yaml`);
    const file = `${folder}/c.yaml`;
    await Deno.writeTextFile(
      file,
      text.replace(
        "address: 10.0.1.11",
        "address: 10.0.1.11\n    ssh: {host: bastion-way, port: 2222}",
      ),
    );
    await Deno.mkdir(`${folder}/aws`);
    await Deno.writeTextFile(
      `${folder}/aws/machines.json`,
      JSON.stringify(outputs),
    );
    const { nodes } = await loadCluster(file, { stateRoot: folder });
    assertEquals(nodes[1]?.ssh, {
      user: "ubuntu",
      identityFile: `${folder}/aws/ssh/id_ed25519`,
      host: "bastion-way",
      port: 2222,
    });
  }));
