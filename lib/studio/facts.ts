/** What a machine or a pod says of itself, with the commands that show it. */
import { nftTable } from "../net/nft_table.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { cmd, type Command, show } from "../exec/command.ts";
import type { Inventory } from "../inventory/inventory.ts";
import type { Node } from "../node/node.ts";
import { printableLines } from "../text/printable.ts";
import type { ShownCommand } from "./protocol.ts";

/** A command, and what it is asked for. */
interface Question {
  readonly title: string;
  readonly command: Command;
}

/**
 * The commands that show a node, or a pod of it.
 *
 * @param sandbox the pod's network namespace
 */
export function questionsOf(
  cluster: Cluster,
  inventory: Inventory | undefined,
  name: string,
  sandbox: string | undefined,
): readonly Question[] {
  const dual = familiesOf(cluster).length > 1;
  const host = inventory?.nodes.find((node) => node.name === name)?.host;
  const leases = host?.is === "read" ? host.leases : [];
  if (sandbox !== undefined) {
    const pod = host?.is === "read"
      ? host.pods.find((pod) => pod.name === sandbox)
      : undefined;
    const held = new Set(pod?.addresses.map(({ address }) => address));
    const own = leases.filter(({ address }) => held.has(address));
    return [
      { title: "Addresses", command: cmd`ip -n ${sandbox} -br addr` },
      ...routes(cmd`ip -n ${sandbox}`, dual),
      { title: "Neighbours", command: cmd`ip -n ${sandbox} neigh` },
      ...(pod?.hostLink === undefined ? [] : [{
        title: "Its other end, on the node",
        command: cmd`ip -br link show dev ${pod.hostLink.name}`,
      }]),
      ...own.map(({ path }) => ({
        title: "Lease",
        command: cmd`head -v -n 4 ${path}`,
      })),
    ];
  }
  const ways = [
    { title: "Addresses", command: cmd`ip -br addr` },
    ...routes(cmd`ip`, dual),
  ];
  if (host === undefined) return ways;
  const tools = dual ? ["iptables", "ip6tables"] : ["iptables"];
  return [
    ...ways,
    ...(cluster.firewall === "nftables"
      ? [{ title: "Rules", command: cmd`nft list table ${[...nftTable]}` }]
      : tools.flatMap((tool) => [
        { title: "Rules, forward", command: cmd`${tool} -S FORWARD` },
        { title: "Rules, NAT", command: cmd`${tool} -t nat -S POSTROUTING` },
      ])),
    {
      title: "Ports of the bridge",
      command: cmd`ip -br link show master ${cluster.bridge}`,
    },
    { title: "Forwarding", command: cmd`sysctl net.ipv4.ip_forward` },
    ...(leases.length === 0 ? [] : [{
      title: "Leases",
      command: cmd`grep -H . ${leases.map(({ path }) => path)}`,
    }]),
  ];
}

function routes(ip: Command, dual: boolean): readonly Question[] {
  const families = dual ? ["-4", "-6"] : ["-4"];
  return families.map((family) => ({
    title: family === "-4" ? "Routes" : "Routes, IPv6",
    command: cmd`${ip.argv} ${family} route`,
  }));
}

/**
 * Asks a machine.
 *
 * @throws {UnreachableError}
 */
export async function askAbout(
  node: Node,
  questions: readonly Question[],
): Promise<readonly ShownCommand[]> {
  return await Promise.all(questions.map(async ({ title, command }) => {
    const { stdout, stderr } = await node.run(command);
    const text = `${stdout}${stderr}`.replaceAll("\r\n", "\n");
    const output = printableLines(text.trimEnd());
    return { title, command: show(command), output };
  }));
}
