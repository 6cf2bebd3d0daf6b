/** What holds for all checks of the doctor. */
// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { askTables } from "../diagnosis/kernel_tables/kernel_tables.ts";
import { recordedTables } from "../diagnosis/kernel_tables/tables_testing.ts";
import { labCluster } from "../cluster/cluster_testing.ts";
import { cmd } from "../exec/command.ts";
import { surveyQuestion } from "../diagnosis/kernel_path/survey.ts";
import { checks } from "./doctor.ts";
import type { CheckContext } from "./check.ts";
import {
  filter,
  found,
  mendOf,
  nat,
  one,
  room,
  settings,
} from "./doctor_testing.ts";
import { hostWith } from "../inventory/host_testing.ts";

/** A namespace without links: the last word of the question is what parts its answer. */
const nothingOnThePath = ["links\n[]", "end\n"]
  .map((part) => `\n${surveyQuestion.argv.at(-1)} ${part}\n`).join("");

/** The last word of the question is what parts its answer. */
const tablesBoundary = askTables.argv.at(-1) ?? "";

const well: Readonly<Record<string, string>> = {
  "ip-forward": "1\n",
  "bridge-nf": "1\n",
  "forward-chain": filter,
  "masquerade": nat,
  "rp-filter": "/proc/sys/net/ipv4/conf/all/rp_filter:2\n" +
    "/proc/sys/net/ipv4/conf/eth0/rp_filter:2\n",
  "interface-settings": settings,
  "kernel-tables": recordedTables({ boundary: tablesBoundary }),
  "packet-path": nothingOnThePath,
  "policy-routing": "\ndeno-cni-policy-routing rules 4\n" +
    '[{"priority":0,"src":"all","table":"local"},' +
    '{"priority":32766,"src":"all","table":"main"}]\n' +
    "\ndeno-cni-policy-routing end\n",
  "impaired-links": "\ndeno-cni-impairments place \n\n" +
    "deno-cni-impairments qdiscs\nqdisc noqueue 0: root refcnt 2 \n\n" +
    "deno-cni-impairments nft\n\ndeno-cni-impairments end\n",
  "clock": "1000001\n",
  "disk": room,
  "plugin-runs": '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}',
};
Deno.test("a well node has nothing wrong with it, by any check", () => {
  for (const { name } of checks) {
    const bad = found(name, [{ stdout: well[name] ?? "" }])
      .filter(({ is }) => is !== "does not apply");
    assertEquals(bad, [], name);
  }
});

Deno.test("an answer that is none is unknown, never well", () => {
  const asked = checks.filter(({ asks }) => asks !== undefined)
    .map(({ name }) => name)
    .filter((name) =>
      ![
        ...["runtime-folders", "modules", "ipv6", "kubernetes"],
        ...["plugin-runs", "daemon", "default-route"],
        ...["network-policies", "host-ports", "mtu", "tunnels", "sessions"],
      ].includes(name)
    );
  for (const name of asked) {
    const broken = { code: 126, stdout: "garbage {", stderr: "no" };
    const { is } = one(found(name, [broken]));
    assertEquals(is, "unknown", name);
    const none = found(name, []).filter(({ is }) => is === "unknown");
    assert(none.length > 0 || name === "both-iptables");
  }
});

Deno.test("what a stage does is a fault where it has run, and awaited where it has not", () => {
  const early = hostWith([
    /"complete":\[.*?\]/g,
    '"complete":["01-provision"]',
  ]);
  const off = [{ stdout: "0\n" }];
  assertEquals(one(found("ip-forward", off)).is, "fault");
  const later = one(found("ip-forward", off, { host: early }));
  assert(later.is === "not yet");
  assertEquals(later.until, "06-forwarding");
  assertEquals(
    mendOf(one(found("ip-forward", off))),
    ['make 06-forwarding ARGS="--node worker-1"'],
  );
});

Deno.test("the questions of a check are commands that read", () => {
  const changing = /\b(iptables|ip6tables)\b.* -[ADIFX] | -P |sysctl -w|\brm\b/;
  const cluster = labCluster({ name: "lab", stateDir: "/nowhere" });
  const host = hostWith();
  const [node] = cluster.nodes;
  assert(node !== undefined);
  const asked = { from_s: 0, until_s: 0 };
  const context: CheckContext = { cluster, node, host, nodes: [], asked };
  for (const { name, asks } of checks) {
    for (const { argv } of asks?.(context) ?? [cmd`true`]) {
      assert(!changing.test(argv.join(" ")), `${name}: ${argv.join(" ")}`);
    }
  }
});
