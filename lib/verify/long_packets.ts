/**
 * Whether packets as long as a pod sends them get to pods of other nodes. A call for
 * a page is short, and passes ways that lose what is longer: a tunnel's, whose
 * headers leave less room (RFC 7348, section 4.3), or any link that takes less and
 * whose word of it does not come back (RFC 2923, section 2.1).
 */
import { tunnelMtu } from "../cluster/tunnels.ts";
import { cmd, type RunOptions, show } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import type { Cause } from "../diagnosis/cause.ts";
import { makeStage, newPods } from "../diagnosis/remedy.ts";
import { askRouter } from "../diagnosis/segments/router_answer.ts";
import { routerWidth } from "../diagnosis/segments/router_width.ts";
import { waysBetween } from "../diagnosis/segments/way.ts";
import { faultBetween, tunnelQuestion } from "../diagnosis/tunnels.ts";
import { tunnelLink } from "../net/vxlan.ts";
import { caller, podAttachment, podNames, server } from "./namespace_pods.ts";
import { ownerOf } from "../../plugin/veth.ts";
import { callerOn, type Known } from "./try_paths.ts";
import { type Site, type Situation, workerSites } from "./situation.ts";

/** A node from whose pod long packets get to no pod of another node, or may not. */
export interface LongTried {
  readonly node: string;
  readonly cause: Cause;
}

/** Each worker's pod calls as many others: of many nodes, all of them together call all. */
const most = 3;

const program = shellProgram("long_packets.sh", import.meta.url);

/**
 * The nodes from which long packets are lost, or will be. A target that gets no short
 * ones either is passed over: its paths tell of it.
 *
 * @throws {UnreachableError}
 */
export async function tryLong(
  views: readonly { readonly situation: Situation; readonly known: Known }[],
  selected: readonly string[],
  options: RunOptions,
): Promise<readonly LongTried[]> {
  const [first] = views;
  if (first === undefined) return [];
  const { situation } = first;
  const isRouted = ({ node: { name } }: Site) =>
    situation.progress.complete.get(name)?.includes("08-routes") === true;
  const sites = workerSites(situation).filter(isRouted);
  const tried = await Promise.all(sites.map(async (site, at) => {
    const { node: { name } } = site;
    if (!selected.includes(name)) return [];
    const tooWide = widthFault(site, situation);
    if (tooWide !== undefined) return [{ node: name, cause: tooWide }];
    const others = [...sites.slice(at + 1), ...sites.slice(0, at)];
    const found = await callLong(site, others.slice(0, most), views, options);
    return found === undefined ? [] : [{ node: name, cause: found }];
  }));
  return tried.flat();
}

/** What the node's links take, where tunnels leave them less. */
export function widthFault(
  { node: { name }, survey: { links, pods } }: Pick<Site, "node" | "survey">,
  { cluster }: Pick<Situation, "cluster">,
): Cause | undefined {
  const room = tunnelMtu(cluster);
  const tunnel = links.find((link) => link.name === tunnelLink);
  if (room === undefined || tunnel === undefined) return undefined;
  const shown = (link: string, mtu: number) => ({
    where: name,
    command: show(cmd`ip link show dev ${link}`),
    printed: `mtu ${mtu}`,
  });
  if (tunnel.mtu > room) {
    return {
      kind: "mtu",
      on: name,
      what: `${tunnelLink} of ${name} takes packets of ${tunnel.mtu} bytes, ` +
        `and the ways between the nodes leave the tunnel ${room}: longer ones ` +
        "are cut in pieces, which many a network drops",
      evidence: [shown(tunnelLink, tunnel.mtu)],
      remedies: [makeStage("08-routes", name)],
    };
  }
  // The links were looked at before pods were started anew, and theirs are gone.
  const own = podNames.filter((pod) => pods[pod].is === "running")
    .map((pod) => podAttachment(pod).containerId);
  const wide = links.find(({ alias = "", mtu }) =>
    mtu > room && own.includes(ownerOf(alias)?.containerID ?? "")
  );
  if (wide === undefined) return undefined;
  return {
    kind: "mtu",
    on: name,
    what: `pods of ${name} send packets of ${wide.mtu} bytes, and the tunnel ` +
      `to other nodes takes ${tunnel.mtu}: longer ones are lost, or cut in pieces`,
    evidence: [
      shown(wide.name, wide.mtu),
      shown(tunnelLink, tunnel.mtu),
    ],
    remedies: [makeStage("03-cni-config", name), ...newPods(name)],
  };
}

async function callLong(
  site: Site,
  others: readonly Site[],
  views: readonly { readonly situation: Situation; readonly known: Known }[],
  options: RunOptions,
): Promise<Cause | undefined> {
  const targets = others.flatMap((other) =>
    views.flatMap(({ known }) => {
      const address = known.servers.get(other.node.name);
      return address === undefined ? [] : [{ other, address }];
    })
  );
  const [view] = views;
  if (view === undefined || !view.known.callers.has(site.node.name)) return;
  if (targets.length === 0) return undefined;
  const addresses = targets.map(({ address }) => address);
  const { stdout } = await callerOn(site, view.situation)
    .run(cmd`sh -c ${program} long ${addresses}`, options);
  for (const { other, address } of targets) {
    const line = stdout.split("\n").map((line) => line.split(" "))
      .find(([is, to]) => is === "lost" && to === address);
    const [, , bytes = "", payload = ""] = line ?? [];
    if (line === undefined) continue;
    return await causeOf(
      { site, other, address, bytes, payload },
      view,
      options,
    );
  }
  return undefined;
}

/** A packet that was lost, and to whom. */
interface Lost {
  readonly site: Site;
  readonly other: Site;
  readonly address: string;
  /** Its length, and what of it is not headers. */
  readonly bytes: string;
  readonly payload: string;
}

async function causeOf(
  { site, other, address, bytes, payload }: Lost,
  { situation: { cluster, router } }: { readonly situation: Situation },
  options: RunOptions,
): Promise<Cause> {
  const ways = waysBetween(cluster, site.node, other.node, true);
  const between = router && await askRouter(cluster, () => router, options);
  const narrow = routerWidth(cluster, ways, between);
  if (narrow !== undefined) return narrow;
  const ends = await Promise.all([site, other].map(async ({ node, runner }) => {
    const command = tunnelQuestion(cluster, node);
    if (command === undefined) return [node, undefined] as const;
    const outcome = await runner.run(command, options);
    return [node, { where: node.name, command, outcome }] as const;
  }));
  const [from, to] = [site.node.name, other.node.name];
  return faultBetween(cluster, ends, "length") ?? {
    kind: "mtu",
    on: from,
    what: `packets of ${bytes} bytes do not get from a pod of ${from} to one ` +
      `of ${to} and back, and short ones do: a link on the way takes less, or ` +
      "something drops what is that long",
    evidence: [{
      where: `${caller} on ${from}`,
      command: show(cmd`ping -c 1 -s ${payload} ${address}`),
      printed: "no answer",
    }],
    remedies: [{
      make: "trace",
      variables: { FROM: `${from}/${caller}`, TO: `${to}/${server}` },
      shows: true,
    }],
  };
}
