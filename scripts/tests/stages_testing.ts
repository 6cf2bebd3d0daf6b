/** What the tests of the stages share: a lab of machines without a network yet, and what a stage may change on a node. */
// @ts-types="../../lib/std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { cmd, type Command, type Outcome } from "../../lib/exec/command.ts";
import { type TestLab, testLab } from "./lab_testing.ts";

export const nodeStages = [
  "03-cni-config",
  "04-bridge",
  "05-plugin",
  "06-forwarding",
  "07-masquerade",
  "08-routes",
];

/** All that a stage may change on a node, as the node itself tells it. */
export async function stateOf(lab: TestLab, node: string): Promise<string> {
  const ask = (command: Command) => lab.on(node, command);
  const files =
    "for d in /etc/cni /opt/cni /var/lib/deno-cni; do [ ! -e $d ] || find $d ! -type d; done";
  const [links, ...parts] = await Promise.all([
    ask(cmd`ip -j -d link`),
    ask(cmd`ip -br addr`),
    ask(cmd`ip route`),
    ask(cmd`ip -6 route`),
    ask(cmd`sysctl net.ipv4.ip_forward net.bridge.bridge-nf-call-iptables`),
    ask(cmd`iptables-save`),
    ask(cmd`sh -c ${files}`),
  ]);
  const shapes = (JSON.parse(links) as Record<string, unknown>[])
    .map(({ ifname, address, mtu, ifalias, flags }) =>
      JSON.stringify({ ifname, address, mtu, ifalias, flags })
    );
  // Asking for a rule makes an empty table (iptables-nft): no trace of a stage.
  const counters = /\[\d+:\d+\]|^#.*$|^\*nat$|^:.* ACCEPT |^COMMIT$/gm;
  return [...shapes, ...parts].join("\n").replace(counters, "")
    .replace(/\n{2,}/g, "\n");
}

export async function provisioned(name: string): Promise<TestLab> {
  const lab = await testLab(name);
  for (const stage of ["01-provision", "02-kubeadm"]) {
    done(await lab.script(stage));
  }
  return lab;
}

export function done(outcome: Outcome): void {
  assertEquals(outcome.code, 0, outcome.stderr + outcome.stdout);
}

export function statuses(
  { results }: { results: readonly { status: string; node: string }[] },
  node?: string,
): string[] {
  return results.filter((result) => node === undefined || result.node === node)
    .map(({ status }) => status);
}

/** Lays a folder of the node's own over the one that has iptables. */
export const overDirectory = [
  "mkdir /run/u /run/w",
  "d=$(dirname $(command -v iptables))",
  "mount -t overlay overlay -o lowerdir=$d,upperdir=/run/u,workdir=/run/w $d",
].join(" && ");
