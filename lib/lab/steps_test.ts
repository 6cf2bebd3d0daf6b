// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { dualCluster, labCluster } from "../cluster/cluster_testing.ts";
import { type Command, show } from "../exec/command.ts";
import { mac } from "../net/mac.ts";
import { labSteps } from "./steps.ts";
import type { Step } from "../stage/stage.ts";

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

function ofNodes(count: number) {
  const nodes = Array.from({ length: count }, (_, at) => ({
    ...cluster.nodes[0]!,
    name: `node-${at}`,
    address: `10.0.1.${10 + at}`,
    addresses: [`10.0.1.${10 + at}`],
  }));
  return labSteps({ ...cluster, nodes });
}

Deno.test("in a lab of many nodes each is told who is on its segment, the outside host too", () => {
  const isTold = ({ run }: Step) => "stdin" in run && run.stdin !== undefined;
  assertEquals(ofNodes(16).filter(isTold), []);
  const told = ofNodes(17).filter(isTold);
  assertEquals(told.length, 1);
  const lines = (told[0]?.run as Command).stdin?.trimEnd().split("\n") ?? [];
  assertEquals(lines.length, 18);
  assertEquals(lines.slice(0, 2), [
    `0 outside segment 10.0.1.1 ${mac("segment")}`,
    `0 node-0 eth0 10.0.1.10 ${mac("eth0 node-0")}`,
  ]);
  assertEquals(told[0]?.doneWhen?.ask.stdin, lines.join("\n") + "\n");
});

Deno.test("with one node more, a lab's other machines are made by the same commands", () => {
  const made = (count: number) =>
    ofNodes(count).map(({ run }) => show(run as Command));
  for (const count of [16, 30]) {
    const more = made(count + 1);
    assertEquals(made(count).filter((line) => !more.includes(line)), []);
  }
});
