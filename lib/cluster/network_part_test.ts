// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertThrows } from "@std/assert";
import { projectRoot } from "../exec/project_root.ts";
import { parseNetworkPart } from "./network_part.ts";
import { ClusterFileError } from "./yaml.ts";

Deno.test("the network part needs a clusterCIDR alone, and takes a whole cluster file as well", async () => {
  const { cluster, auto } = parseNetworkPart("clusterCIDR: 10.1.0.0/16", "c");
  assert(!auto);
  const { bridge, routes, provider, nodes } = cluster;
  assertEquals([bridge, routes, provider], ["cni0", "host", "ssh"]);
  assertEquals(nodes, []);
  for (const name of ["lab", "lab-dual", "lab-two-segments", "ssh"]) {
    const file = `${projectRoot}/config/${name}.yaml`;
    const whole = parseNetworkPart(await Deno.readTextFile(file), file);
    assertEquals(whole.cluster.nodes, []);
  }
});

Deno.test("auto is tunnels where they are needed", () => {
  const part = parseNetworkPart(
    "clusterCIDR: 10.1.0.0/16\nroutes: auto\nvxlan: { port: 4789 }",
    "c",
  );
  assert(part.auto);
  assertEquals(part.cluster.vxlan?.port, 4789);
});

Deno.test("reflectors are nodes that are known elsewhere", () => {
  const text = (bgp: string) =>
    `clusterCIDR: 10.1.0.0/16\nroutes: bgp\nbgp: ${bgp}\n`;
  const { cluster } = parseNetworkPart(
    text("{ as: 64600, reflectors: [cp-1, cp-2] }"),
    "c",
  );
  const { as, reflectors } = cluster.bgp!;
  assertEquals([as, reflectors], [64600, ["cp-1", "cp-2"]]);
  const [bare] = [parseNetworkPart(text("{ as: 64600 }"), "c").cluster.bgp];
  assertEquals([bare?.as, bare?.reflectors], [64600, undefined]);
  for (const bad of ["{ reflectors: [] }", "{ reflectors: [{}] }"]) {
    assertThrows(() => parseNetworkPart(text(bad), "c"), ClusterFileError);
  }
});

Deno.test("mistakes in the network part are told with their lines, as of a cluster file", () => {
  const error = assertThrows(
    () =>
      parseNetworkPart(
        "clusterCIDR: 10.1.0.0/16\nbridge: eth0\nclustercidr: 1\n",
        "cluster.yaml",
      ),
    ClusterFileError,
  );
  assertEquals(error.mistakes.map((line) => line.split(": ")[0]), [
    "cluster.yaml:2",
    "cluster.yaml:3",
  ]);
  assertThrows(
    () => parseNetworkPart("- a", "c"),
    ClusterFileError,
    "expected the keys",
  );
});
