/** What the doctor reads of pods that live. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

Deno.test("pods whose bridge was deleted are cut off, also where it is made anew without them", () => {
  assertEquals(found("cut-off-pods", []), []);
  const host = hostWith([`"master":"cni0",`, ""]);
  const finding = one(found("cut-off-pods", [], { host }));
  assertEquals(finding.is, "fault");
  assertStringIncludes(finding.what, "2 pods are cut off: ");
  assertStringIncludes(finding.what, "is not plugged into cni0");
  assertStringIncludes(mendOf(finding).join("\n"), "plug cni0 veth");
});

Deno.test("one pod that is cut off is told in the words of the trace and 09, with lines to type", () => {
  const whole = hostWith();
  const [first] = whole.links.filter(({ kind, alias = "" }) =>
    kind === "veth" && alias.startsWith("deno-cni ")
  );
  assert(first !== undefined);
  const links = whole.links.map((link) =>
    link === first ? { ...link, up: false } : link
  );
  const finding = one(
    found("cut-off-pods", [], { host: { ...whole, links } }),
  );
  assertStringIncludes(finding.what, `${first.name}, the host veth of pod `);
  assertStringIncludes(finding.what, " on worker-1, is down");
  const lines = mendOf(finding).join("\n");
  assertStringIncludes(lines, `ip link set dev ${first.name} master cni0 up`);
});

Deno.test("of many pods that are cut off some are named, and all are mended by a line", () => {
  const host = hostWith([`"master":"cni0",`, ""]);
  const [veth] = host.links.filter(({ kind, alias }) =>
    kind === "veth" && alias !== undefined
  );
  assert(veth !== undefined);
  const links = [
    ...host.links.filter(({ name }) => name === "cni0"),
    ...Array.from({ length: 250 }, (_, at) => (
      { ...veth, name: `veth${at}`, alias: `deno-cni deno-cni c${at} eth0` }
    )),
  ];
  const finding = one(
    found("cut-off-pods", [], { host: { ...host, links, pods: [] } }),
  );
  assertStringIncludes(finding.what, "250 pods are cut off: c0 (");
  assertStringIncludes(finding.what, "and 247 more");
  assert("evidence" in finding && finding.evidence.length === 3);
  const [line = "", ...more] = mendOf(finding);
  assertEquals(more, []);
  assertStringIncludes(line, "veth249");
});

/** The worker with pods of Kubernetes in its two sandboxes. */
const names = [
  "PART leases",
  "PART names\nshell dns-7\nweb web-1\n" +
  "PART namespaces\nshell kube-system\nweb shop\nPART leases",
] as const;

/** The pod "shell" with the other's address. */
const same = [
  /("ifname":"eth0".*"local":")10\.244\.1\.3(",.*\n\nPART pod.routes\n.*10\.244\.1\.1)/g,
  "$110.244.1.2$2",
] as const;

Deno.test("two pods of one node that hold one address are named, and the one without its lease is deleted", () => {
  assertEquals(found("twins", []), []);
  const host = hostWith([...names], [...same]);
  const finding = one(
    found("twins", [], { host, cluster: { provider: "ssh" } }),
  );
  assertEquals(finding.is, "fault");
  assertStringIncludes(
    finding.what,
    "10.244.1.2 is held by 2 pods of the node",
  );
  assertStringIncludes(finding.what, "kube-system/dns-7");
  assertStringIncludes(finding.what, "shop/web-1");
  assertEquals(mendOf(finding), [
    'make shell NODE=master ARGS="-- kubectl --kubeconfig ' +
    '/etc/kubernetes/admin.conf -n kube-system delete pod dns-7"',
  ]);
});

Deno.test("two names of one network namespace are one pod", () => {
  const twice = hostWith([
    /PART pod\nweb\n([^]*?)(?=PART end)/g,
    "PART pod\nweb\n$1PART pod\nalso\n$1",
  ]);
  assertEquals(found("twins", [], { host: twice }), []);
});

Deno.test("a pod that has its node's own address is a fault of the pod", () => {
  const host = hostWith([/"local":"10\.244\.1\.3"/g, `"local":"10.244.1.1"`]);
  const finding = one(found("twins", [], { host }));
  assertStringIncludes(
    finding.what,
    "10.244.1.1 of the pod shell is also the node's own (cni0)",
  );
});

Deno.test("pods whose leases are gone are told in one sentence; where another IPAM plugin keeps them none is", () => {
  assertEquals(found("unleased-pods", []), []);
  const gone = [/PART leases\n[^P]*/g, "PART leases\n\n"] as const;
  const host = hostWith([...gone]);
  const finding = one(found("unleased-pods", [], { host }));
  assertEquals(finding.is, "warning");
  assertStringIncludes(finding.what, "2 pods have no lease");
  assertStringIncludes(mendOf(finding).join(), "make 09-verify");
  const delegated = hostWith([...gone], [
    `"bridge": "cni0"`,
    `"bridge": "cni0", "ipam": {"type": "dhcp"}`,
  ]);
  assertEquals(found("unleased-pods", [], { host: delegated }), []);
  assertEquals(found("leftover-veths", [], { host }), []);
});

Deno.test("a lease of another address than its pod has is told", () => {
  const host = hostWith([/(networks\/deno-cni\/10\.244\.1\.)3:/g, "$17:"]);
  const finding = one(found("unleased-pods", [], { host }));
  assertStringIncludes(
    finding.what,
    "the pod shell has the lease of 10.244.1.7, and 10.244.1.3",
  );
});

Deno.test("a pod that nobody here started is named by its container, and never by a link to delete", () => {
  const host = hostWith([/PART leases\n[^P]*/g, "PART leases\n\n"]);
  const finding = one(
    found("unleased-pods", [], { host: { ...host, pods: [] } }),
  );
  assertStringIncludes(finding.what, "09-verify-");
  assertStringIncludes(mendOf(finding).join(), "end the container 09-verify-");
  assertEquals(
    found("leftover-veths", [], { host: { ...host, pods: [] } }),
    [],
  );
});
