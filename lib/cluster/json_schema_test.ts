/** The schema for editors says what the reader of cluster files says, as far as a schema can. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertNotEquals } from "@std/assert";
import { projectRoot } from "../exec/project_root.ts";
import { dual, mistakes, parse, six, small } from "./cluster_file_testing.ts";
import { clusterFileSchema } from "./json_schema.ts";
import { objections } from "./json_schema_testing.ts";
import { parseCluster } from "./load.ts";
import { readYaml } from "./yaml.ts";

const schema = clusterFileSchema();

function objectionsTo(text: string): string[] {
  return objections(schema, readYaml(text, "c.yaml").value);
}

Deno.test("the schema that editors take is the one by which files are read", async () => {
  const path = `${projectRoot}/config/cluster.schema.json`;
  assertEquals(
    JSON.parse(await Deno.readTextFile(path)),
    JSON.parse(JSON.stringify(schema)),
    "it is written by: make check-config ARGS=--schema >config/cluster.schema.json",
  );
});

Deno.test("the schema takes every cluster file of config/, which names it, and every small one", async () => {
  const folder = `${projectRoot}/config`;
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".yaml") || name === "pods.yaml") continue;
    const text = await Deno.readTextFile(`${folder}/${name}`);
    assertEquals(objectionsTo(text), [], name);
    parseCluster(text, name, "/state");
    assertEquals(
      text.split("\n")[0],
      "# yaml-language-server: $schema=cluster.schema.json",
      name,
    );
  }
  for (const text of [small, six, dual]) {
    assertEquals(objectionsTo(text), []);
    parse(text);
  }
});

Deno.test("what the reader refuses of a single key, the schema refuses too", () => {
  const changes: readonly (readonly [string, string])[] = [
    ["name: small", "name: Small"],
    ["name: small", "name: 7"],
    ["name: small", "name: -x"],
    ["name: small\n", ""],
    ["name: small", "nmae: small"],
    ["clusterCIDR: 10.244.0.0/16", "clusterCIDR: 10.244.0.0"],
    ["clusterCIDR: 10.244.0.0/16", "clusterCIDR: 10"],
    ["clusterCIDR: 10.244.0.0/16", "clusterCIDR:"],
    ["name: worker-1", "name: outside"],
    ["name: worker-1", "name: operator"],
    ["role: control-plane", "role: master"],
    ["address: 10.0.1.10", "address: worker"],
    ["address: 10.0.1.10", "adress: 10.0.1.10"],
    ...[
      "provider: azure",
      "bridge: eth0",
      "bridge: lo",
      "bridge: bridge-of-the-pods",
      "cniVersion: 1.0.0.0",
      "mtu: 67",
      "mtu: 1500.5",
      'mtu: "1500"',
      "nodeMask: 0",
      "nodeMask: [24, 200]",
      "runtime: docker",
      "plugin: {hairpin: sometimes}",
      "plugin: [hairpin]",
      "plugin: {logFile: log, logLevel: info}",
      "routes: ospf",
      "bgp: {as: 23456}",
      "bgp: {passwordFile: password}",
      "outside: {gateway: [10.0.1.1, here]}",
      "outside: {url: ftp://203.0.113.8/}",
      "kubernetes: {podsOnControlPlane: maybe}",
      "kubernetes: {version: 1.31}",
      "ssh: {port: 0}",
      "ssh: {user: 7}",
      "podsPerNode: 1",
      "podsPerNode: many",
      "aws: {instanceType: t3.small}",
      "gcp: {zone: europe-west3-a, diskGB: 9}",
    ].map((line) => ["nodes:", `${line}\nnodes:`] as const),
  ];
  for (const [from, to] of changes) {
    const text = small.replace(from, to);
    assertNotEquals(mistakes(text), [], text);
    assertNotEquals(objectionsTo(text), [], `the schema takes:\n${text}`);
  }
  for (const text of ["[]\n", "nodes: []\n", "name: x\n"]) {
    assertNotEquals(mistakes(text), [], text);
    assertNotEquals(objectionsTo(text), [], text);
  }
});
