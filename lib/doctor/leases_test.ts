/** What the doctor reads of leases and their store. */
// @ts-types="../std/assert.d.ts"
import { assertEquals, assertStringIncludes } from "@std/assert";
import { found, mendOf, one, room } from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

Deno.test("a disk without room is a fault, a nearly full one a warning, one without inodes neither", () => {
  const full = room.replace("12341916 1%", "0 100%");
  assertEquals(one(found("disk", [{ stdout: full }])).is, "fault");
  const nearly = room.replace("3085424 1%", "3085 97%");
  assertEquals(one(found("disk", [{ stdout: nearly }])).is, "warning");
  const btrfs = "blocks /dev/sda1 99 9 90 10% /\ninodes /dev/sda1 0 0 0 - /\n";
  assertEquals(found("disk", [{ stdout: btrfs }]), []);
});

Deno.test("a lease is leaked when neither a veth nor a namespace is its attachment's", () => {
  const host = hostWith([
    /(.*10\.244\.1\.2:)09-verify-web/g,
    "$1elsewhere",
  ], [/PART pod\nweb\n[^]*(?=PART end)/g, ""]);
  const finding = one(found("leaked-leases", [], { host }));
  assertStringIncludes(finding.what, "1 lease without a pod");
  const leases = "/run/deno-cni/networks/deno-cni";
  assertStringIncludes(
    mendOf(finding)[0] ?? "",
    `flock ${leases}/lock rm -f ${leases}/10.244.1.2`,
  );
  // Its veth is there, or its namespace.
  const alive = hostWith([/PART pod\nweb\n[^]*(?=PART end)/g, ""]);
  assertEquals(found("leaked-leases", [], { host: alive }), []);
});

Deno.test("a podCIDR is nearly full from nine tenths on", () => {
  const lines = (number: number) =>
    Array.from({ length: number }, (_, at) => {
      const path = `/run/deno-cni/networks/deno-cni/10.244.1.${at + 2}`;
      return `${path}:c${at}\r\n${path}:eth0`;
    }).join("\n");
  const at = (number: number) => {
    const host = hostWith([
      /PART leases\n[^P]*/g,
      `PART leases\n${lines(number)}\n\n`,
    ]);
    return found("addresses-left", [], { host });
  };
  assertEquals(at(227), []);
  assertEquals(one(at(228)).is, "warning");
  assertEquals(one(at(253)).is, "fault");
  const gone = mendOf(one(at(253)))[0] ?? "";
  assertStringIncludes(gone, "leases without a pod");
});

Deno.test("what makes room for more pods is what the cluster's kind allows", () => {
  const path = (at: number) => `/run/deno-cni/networks/deno-cni/10.244.1.${at}`;
  const host = hostWith();
  const [veth] = host.links;
  const leases = Array.from({ length: 253 }, (_, at) => ({
    ...{ address: `10.244.1.${at + 2}`, network: "deno-cni" },
    ...{ containerID: `c${at}`, ifname: "eth0", path: path(at + 2) },
  }));
  const links = veth === undefined ? [] : leases.map(({ containerID }) => (
    { ...veth, alias: `deno-cni deno-cni ${containerID} eth0` }
  ));
  const full = { ...host, leases, links };
  const advice = (provider: "lab" | "ssh") =>
    mendOf(
      one(found("addresses-left", [], { host: full, cluster: { provider } })),
    )
      .join();
  assertStringIncludes(advice("lab"), "a shorter nodeMask");
  assertStringIncludes(advice("ssh"), "kubectl drain worker-1");
});
