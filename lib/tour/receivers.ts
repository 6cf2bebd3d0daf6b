/** What the caller and the receiver of a path say: a ping, and the address that was seen. */
import { ofFamily } from "../net/cidr.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { cmd, succeeded } from "../exec/command.ts";
import { endsAtPod, outside, startsAtPod } from "../verify/matrix.ts";
import type { MatrixReport, PathReport } from "../verify/matrix_report.ts";
import { readSource, url } from "../verify/http_calls.ts";
import { caller, podOn, server } from "../verify/namespace_pods.ts";
import { transcript } from "./stop_text.ts";
import { nodeOf } from "../cli/connect.ts";
import { wrap } from "../text/wrap.ts";

/** What a receiver said of one caller. */
export interface Listening {
  /** Pods: "worker-1/shell". */
  readonly from: string;
  readonly to: string;
  /** The caller's own address, and the one that the receiver saw. */
  readonly own: string;
  readonly seen: string;
  readonly text: string;
}

/** Where a path from a pod ends: a name, and the address to call. */
function endOf(
  path: PathReport,
  { pods }: MatrixReport,
  { nodes, outside: host }: Cluster,
): { readonly name: string; readonly address: string | undefined } {
  const of = (addresses: readonly string[] = []) =>
    ofFamily(addresses, path.family);
  if (path.to === outside) {
    return { name: outside, address: of(host.addresses) };
  }
  if (!endsAtPod(path)) {
    const node = nodes.find(({ name }) => name === path.to);
    return { name: path.to, address: of(node?.addresses) };
  }
  const pod = pods.find(({ node }) => node === path.to);
  return {
    name: `${path.to}/${server}`,
    address: of(pod?.addresses[server]),
  };
}

/** Pings, from a node's pod that calls, every end that it has a path to; a line each. */
export async function pings(
  report: MatrixReport,
  cluster: Cluster,
  node: string,
): Promise<string> {
  const pod = podOn(nodeOf(cluster, node), caller);
  const ends = report.paths
    .filter((path) => startsAtPod(path) && path.from === node)
    .map((path) => endOf(path, report, cluster));
  const width = Math.max(...ends.map(({ address = "" }) => address.length));
  const lines = await Promise.all(ends.map(async ({ name, address }) => {
    if (address === undefined) return `${name}: has no address`;
    const { stdout, code } = await pod.run(cmd`ping -c 1 -W 2 -q ${address}`);
    const answered = code === 0 && /\b1 received\b/.test(stdout);
    return `${address.padEnd(width)}  ${
      answered ? "answers" : "no answer"
    }  (${name})`;
  }));
  return [
    `Pings from ${node}/${caller}:`,
    ...lines.map((line) => `  ping ${line}`),
  ].join("\n");
}

/** Asks the web server in other nodes' pods which address it saw, as a node's calling pod would. */
export async function listeners(
  report: MatrixReport,
  cluster: Cluster,
  node: string,
): Promise<readonly Listening[]> {
  const pod = podOn(nodeOf(cluster, node), caller);
  const paths = report.paths.filter(({ kind, from }) =>
    kind === "pod-to-pod-other-node" && from === node
  );
  const own = report.pods.find((pods) => pods.node === node)
    ?.addresses[caller] ?? [];
  return await Promise.all(paths.map(async (path): Promise<Listening> => {
    const { name, address = "" } = endOf(path, report, cluster);
    const command = cmd`busybox wget -qO- ${url(address, 80)}`;
    const outcome = await pod.run(command);
    const from = `${node}/${caller}`;
    const said = outcome.stdout.trim();
    const seen = readSource(said) ?? "";
    const mine = ofFamily(own, path.family) ?? "";
    const holder = cluster.nodes.find(({ addresses }) =>
      addresses.includes(seen)
    );
    const whose = seen === mine
      ? `It saw ${from} itself, ${mine}.`
      : `It saw ${seen || "nobody"}${
        holder === undefined ? "" : `, the node ${holder.name}`
      }, and not ${from}, which is ${mine}.`;
    const printed = succeeded(outcome) ? said : outcome.stderr.trim();
    return {
      from,
      to: name,
      own: mine,
      seen,
      text: `The web server in ${name} tells whose address it sees:\n` +
        `${transcript(from, command, printed)}\n${wrap(whose, "  ")}`,
    };
  }));
}
