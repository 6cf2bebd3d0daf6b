// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { dualCluster, labCluster } from "../cluster/cluster_testing.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import { labId, labNode, labSteps, mac, portName } from "./lab.ts";

const cluster = labCluster({ name: "lab", stateDir: "/home/u/.state/lab" });
const here = import.meta.dirname ?? "";

Deno.test("labSteps() makes the outside host first and then each node, the same at every call", () => {
  const steps = labSteps(cluster);
  assertEquals(steps.map(({ node }) => node), [
    undefined,
    "master",
    "worker-1",
    "worker-2",
  ]);
  const lines = steps.map(({ run }) =>
    show(run as Command).replace(here, "lib/lab")
  );
  assertEquals(lines, [
    "sh lib/lab/machine.sh outside lab-6ad5b71d outside 10.0.1.1/24 02:dc:f3:c3:42:e6 203.0.113.8",
    "sh lib/lab/machine.sh node lab-6ad5b71d master 10.0.1.10/24 10.0.1.1 02:dc:e9:33:d6:2a master 02:dc:5c:e8:ed:30 outside",
    "sh lib/lab/machine.sh node lab-6ad5b71d worker-1 10.0.1.11/24 10.0.1.1 02:dc:43:c9:f0:d4 worker-1 02:dc:79:90:5b:e6 outside",
    "sh lib/lab/machine.sh node lab-6ad5b71d worker-2 10.0.1.12/24 10.0.1.1 02:dc:46:c9:f5:8d worker-2 02:dc:78:90:5a:53 outside",
  ]);
});

Deno.test("a step's probe tells present, absent and unknown", () => {
  const [step] = labSteps(cluster);
  const read = (code: number, stdout: string) =>
    step?.doneWhen?.read({ code, stdout, stderr: "why" }).is;
  assertEquals(read(0, "alive\n"), "present");
  assertEquals(read(0, "absent\n"), "absent");
  assertEquals(read(1, ""), "unknown");
  assertEquals(read(0, ""), "unknown");
});

Deno.test("labId() tells two copies of the project with one cluster name apart", () => {
  const other = { name: "lab", stateDir: "/home/v/.state/lab" };
  assert(labId(cluster) !== labId(other));
  assertEquals(labId(cluster), labId({ ...cluster }));
});

Deno.test("portName() keeps a node's name where a link can have it", () => {
  assertEquals(portName("worker-1"), "worker-1");
  assertEquals(portName("exactly-fifteen"), "exactly-fifteen");
});

Deno.test("portName() gives a short name of its own to a long node name and to one that is taken", () => {
  const names = ["a-node-with-a-long-name-1", "a-node-with-a-long-name-2"];
  const ports = [...names, "segment", "lo"].map(portName);
  assertEquals(new Set(ports).size, 4);
  for (const port of ports) assert(/^port-[0-9a-f]{8}$/.test(port), port);
});

Deno.test("mac() gives unicast addresses of the locally administered kind, a name its own", () => {
  const addresses = ["eth0 master", "eth0 worker-1", "port worker-1"].map(mac);
  assertEquals(new Set(addresses).size, 3);
  for (const address of addresses) {
    assert(/^02(:[0-9a-f]{2}){5}$/.test(address), address);
  }
});

Deno.test("a lab node's enter() is a line that needs no running node", () => {
  const node = labNode(cluster, "worker-1");
  assertEquals(
    show(node.enter(cmd`ip addr`)).replace(here, "lib/lab"),
    "sh lib/lab/machine.sh enter lab-6ad5b71d worker-1 ip addr",
  );
});

Deno.test("a lab node's showCopy() quotes for a POSIX shell", () => {
  const node = labNode(cluster, "worker-1");
  assertEquals(
    node.showCopy("/a b/deno", "/opt/x", "755").replaceAll(here, "lib/lab"),
    "sh lib/lab/copy.sh '/a b/deno' /opt/x 755 " +
      "sh lib/lab/machine.sh enter lab-6ad5b71d worker-1",
  );
});

Deno.test("labSteps() names an address of each family, each with its segment's prefix length", () => {
  const both = dualCluster({ name: "lab", stateDir: "/home/u/.state/lab" });
  const [first, master] = labSteps(both).map(({ run }) =>
    show(run as Command).replace(here, "lib/lab")
  );
  assertEquals(
    first,
    "sh lib/lab/machine.sh outside lab-6ad5b71d outside 10.0.1.1/24,fd00:10:0:1::1/64 02:dc:f3:c3:42:e6 203.0.113.8,2001:db8::8",
  );
  assertEquals(
    master,
    "sh lib/lab/machine.sh node lab-6ad5b71d master 10.0.1.10/24,fd00:10:0:1::10/64 10.0.1.1,fd00:10:0:1::1 02:dc:e9:33:d6:2a master 02:dc:5c:e8:ed:30 outside",
  );
});
