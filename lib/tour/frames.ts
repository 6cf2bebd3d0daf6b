/** The frame within the frame: what a tunnel makes of a pod's ping, as tcpdump shows it. */
import { ofFamily } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { isTunnelled } from "../cluster/tunnels.ts";
import { nodeOf } from "../cli/connect.ts";
import { cmd, type Command, type Outcome } from "../exec/command.ts";
import { wrap } from "../text/wrap.ts";
import type { MatrixReport } from "../verify/matrix_report.ts";
import { caller, podOn, server } from "../verify/namespace_pods.ts";
import { transcript } from "./stop_text.ts";

/**
 * Listens on a node's link while its pod pings one at the far end of a tunnel:
 * for two packets, and ten seconds at most.
 *
 * @param report where the pods and their addresses stand
 * @returns undefined where no tunnel leads from the node
 */
export async function frameWithinFrame(
  { pods }: MatrixReport,
  cluster: Cluster,
  node: string,
): Promise<string | undefined> {
  const own = cluster.nodes.find(({ name }) => name === node);
  const far = pods.find((one) => {
    const other = cluster.nodes.find(({ name }) => name === one.node);
    return one.node !== node && own !== undefined && other !== undefined &&
      isTunnelled(cluster, own, other);
  });
  const address = ofFamily(far?.addresses[server] ?? [], 4) ??
    far?.addresses[server]?.[0];
  if (cluster.vxlan === undefined || address === undefined) return undefined;
  const machine = nodeOf(cluster, node);
  const command =
    cmd`tcpdump -l -nn -e -T vxlan -c 2 -i eth0 udp port ${cluster.vxlan.port}`;
  const over = new AbortController();
  const pinging = podOn(machine, caller)
    .run(cmd`ping -q -i 0.2 -w 12 ${address}`, { signal: over.signal });
  const heard = await machine.run(
    { ...command, argv: ["timeout", "10", ...command.argv] },
    { timeout_ms: 30_000 },
  );
  over.abort();
  await pinging;
  return frameText(command, heard, `${node}/${caller}`, node, address);
}

/** What tcpdump printed, with what to see in it; or how to get it where it is not there. */
export function frameText(
  command: Command,
  { code, stdout }: Pick<Outcome, "code" | "stdout">,
  from: string,
  node: string,
  address: string,
): string {
  if (code === 127 || code === undefined) {
    return wrap(
      "What a tunnel makes of a packet shows in tcpdump, which is not " +
        "installed here: apt-get install tcpdump",
      "  ",
    );
  }
  if (stdout.trim() === "") {
    return wrap(
      `tcpdump on ${node} saw no packet of the tunnel within ten seconds, ` +
        `though ${from} pinged ${address}.`,
      "  ",
    );
  }
  return `A ping from ${from} to ${address}, as it leaves ${node}:\n` +
    `${transcript(node, command, stdout)}\n` +
    wrap(
      "Of each packet, what begins with the time is the outer frame, from node " +
        "to node by UDP; below it is the inner one, from one tunnel's end to the " +
        "other, with the pods' own addresses. The outer one is longer by the " +
        `tunnel's headers${headersOf(stdout)}.`,
      "  ",
    );
}

/** How long the headers are, by the lengths of the first packet's two frames. */
function headersOf(printed: string): string {
  const [outer, inner] = [...printed.matchAll(/, length (\d+): /g)]
    .map(([, length]) => Number(length));
  if (outer === undefined || inner === undefined || outer <= inner) return "";
  const bytes = outer - inner;
  return `: ${bytes} bytes, of which Ethernet has 14, IP ${bytes - 30}, ` +
    "UDP 8 and VXLAN 8";
}
