// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { readKubernetes } from "./kubectl.ts";
import { strangerRemarks } from "./strangers.ts";

const node = (name: string, address: string) => ({
  kind: "Node",
  metadata: { name },
  status: {
    addresses: [
      { type: "Hostname", address: name },
      { type: "InternalIP", address },
    ],
  },
});

const seen = readKubernetes(JSON.stringify({
  items: [node("master", "10.0.1.10"), node("late", "10.0.1.13")],
}));

const cluster = {
  file: "config/ssh.yaml",
  provider: "ssh",
  nodes: [{
    name: "master",
    role: "control-plane",
    address: "10.0.1.10",
    addresses: ["10.0.1.10"],
    podCIDRs: [],
  }],
} as const;

Deno.test("a node that was joined by hand is named with the line that the file lacks", () => {
  assertEquals(strangerRemarks(cluster, seen), [
    "Kubernetes has the node late, and config/ssh.yaml has not: no stage runs " +
    "there, and no node has a route to its pods. What to do: add to nodes in " +
    "config/ssh.yaml: - { name: late, address: 10.0.1.13 }; then run the " +
    "stages: make up CLUSTER=config/ssh.yaml",
  ]);
});
