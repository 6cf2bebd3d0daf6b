/** What stage 09 reads of pods beside its own: the worker of the doctor's tests, in trouble. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";
import { remedyLine } from "../diagnosis/remedy.ts";
import { podTroubles } from "./other_pods.ts";

const lab = labCluster({ name: "lab", stateDir: "/nowhere" });
const machines = { ...lab, provider: "ssh" as const };

const names = [
  /PART leases/g,
  "PART names\nshell dns-7\nweb web-1\n" +
  "PART namespaces\nshell kube-system\nweb shop\nPART leases",
] as const;

Deno.test("pods that are well are no trouble", () => {
  assertEquals(podTroubles(hostWith(names), "worker-1", machines), []);
});

Deno.test("an address that two pods hold is a cause, and the pod without its lease is deleted", () => {
  const host = hostWith(names, [
    /("ifname":"eth0".*"local":")10\.244\.1\.3(",.*\n\nPART pod.routes\n.*10\.244\.1\.1)/g,
    "$110.244.1.2$2",
  ]);
  const [twins, ...more] = podTroubles(host, "worker-1", machines);
  assertEquals(more, []);
  assert(twins !== undefined);
  assertEquals([twins.trouble, twins.count], ["address held twice", 1]);
  assertStringIncludes(twins.cause.what, "10.244.1.2 by kube-system/dns-7 and");
  assertEquals(
    twins.cause.remedies.map((one) => remedyLine(one, { file: "x" })).length,
    1,
  );
});

Deno.test("pods without their leases are one cause, with their names; of the test pods CHECK says it", () => {
  const noLease = [/PART leases\n[^P]*/g, "PART leases\n\n"] as const;
  assertEquals(podTroubles(hostWith(noLease), "worker-1", lab), []);
  const host = hostWith(noLease, [/09-verify-/g, "cri-"]);
  const [lost, ...more] = podTroubles(host, "worker-1", lab);
  assertEquals(more, []);
  assertEquals([lost?.trouble, lost?.count], ["no lease", 2]);
  assertStringIncludes(lost?.cause.what ?? "", "2 pods have no lease on");
  assertStringIncludes(lost?.cause.what ?? "", "shell");
});
