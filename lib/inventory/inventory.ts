/**
 * The cluster as it is: what each node's kernel and files say, read with one
 * command a node. It says nothing of what a stage meant to do.
 */
import {
  type BrokenLease,
  isLease,
  type NodeLease,
  readLeases,
} from "./leases.ts";
import {
  type InventoryLink,
  type InventoryPod,
  type InventoryRoute,
  podOf,
  readLinks,
  readRoutes,
} from "../net/ip_json.ts";
import { readSessions, type SeenSession } from "../bgp/seen_sessions.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { ending, type Outcome, type RunOptions } from "../exec/command.ts";
import { shellProgram } from "../exec/shell_program.ts";
import {
  type AnswerPart,
  askParts,
  groupsOf,
  linesOf,
  partOf,
  type PartsProgram,
} from "../node/parts.ts";
import type { Family } from "../net/cidr.ts";
import { natRules } from "../net/nft_nat_rules.ts";
import { familiesOf } from "../cluster/address_family.ts";
import { emptyJournal, parseJournal } from "../stage/journal.ts";
import { type Node, type Reach, UnreachableError } from "../node/node.ts";
import { type HostAgent, readAgent } from "./agent.ts";
import { type HostDaemon, readDaemon } from "./daemon.ts";
import { configFolder, pluginFolder } from "../cni/runtime.ts";
import type { StageName } from "../stage/stage.ts";
import {
  bridgedFramesSettings,
  forwardingSwitches,
} from "../steps/forwarding_switch.ts";
import { JournalError } from "../stage/errors.ts";

/** A cluster at one moment. */
export interface Inventory {
  readonly version: 1;
  readonly cluster: string;
  /** When it was read, as ISO 8601 has it. */
  readonly at: string;
  /** In the cluster's order. */
  readonly nodes: readonly InventoryNode[];
  /** The host outside the cluster, where commands can be run on it. */
  readonly outside?: InventoryHost;
}

/** A node of the cluster file, and what was read there. */
export interface InventoryNode {
  readonly name: string;
  readonly role: ClusterNode["role"];
  /** Its address on the segment. */
  readonly address: string;
  readonly podCIDRs: readonly string[];
  readonly host: InventoryHost;
}

/** What a machine says, or why it says nothing. */
export type InventoryHost =
  | { readonly is: "unreachable"; readonly why: string }
  | Host;

/** What a machine says. */
export interface Host {
  readonly is: "read";
  /** The stages that its journal calls complete. */
  readonly complete: readonly StageName[];
  /** Why its journal calls none complete: it cannot be understood. */
  readonly journalFault?: string;
  readonly links: readonly InventoryLink[];
  /** Of the main tables, both families. */
  readonly routes: readonly InventoryRoute[];
  /** `iptables -S FORWARD`, by family; a family without the program is left out. */
  readonly forward: readonly InventoryRules[];
  /** `iptables -t nat -S POSTROUTING`, by family, after what nftables has of ours. */
  readonly postrouting: readonly InventoryRules[];
  /** By name; one that the kernel does not have is left out. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** The named network namespaces, which are its pods' sandboxes. */
  readonly pods: readonly InventoryPod[];
  readonly leases: readonly NodeLease[];
  /** Files among them that name no attachment. */
  readonly brokenLeases: readonly BrokenLease[];
  /** The network configuration that a runtime would use. */
  readonly list?: { readonly path: string; readonly text: string };
  /** The programs that a runtime would find. */
  readonly plugins: readonly string[];
  /** What there is of the plugin's daemon. */
  readonly daemon?: HostDaemon;
  /** What bird says of its BGP sessions, where there are any. */
  readonly sessions?: readonly SeenSession[];
  /** What the agent says of itself, where there is one. */
  readonly agent?: HostAgent;
}

/** A chain as `iptables -S` prints it. */
export interface InventoryRules {
  readonly family: Family;
  readonly policy: string;
  readonly rules: readonly string[];
}

/** The settings that pod networking rests on. */
const sysctlNames = [forwardingSwitches, bridgedFramesSettings]
  .flatMap((names) => [names[4], names[6]]);

/** The question that readHost() reads the answer to. It changes nothing. */
function inventoryProgram(
  journalPath: string,
  families: readonly Family[],
): PartsProgram {
  return {
    name: "inventory",
    program: shellProgram("inventory.sh", import.meta.url),
    args: [
      ...[journalPath, configFolder, pluginFolder, families.join(" ")],
      ...sysctlNames,
    ],
  };
}

/** Reads all machines of a cluster, at once. */
export async function inventory(
  cluster: Cluster,
  reach: Pick<Reach, "nodeOf" | "outside">,
  options: RunOptions = {},
): Promise<Inventory> {
  const families = familiesOf(cluster);
  const readOne = (node: Node) => look(node, families, options);
  const [outside, ...hosts] = await Promise.all([
    reach.outside === undefined ? undefined : readOne(reach.outside),
    ...cluster.nodes.map(({ name }) => readOne(reach.nodeOf(name))),
  ]);
  return {
    version: 1,
    cluster: cluster.name,
    at: new Date().toISOString(),
    nodes: cluster.nodes.map(({ name, role, address, podCIDRs }, at) => ({
      name,
      role,
      address,
      podCIDRs,
      host: hosts[at] ?? { is: "unreachable", why: "it was not asked" },
    })),
    ...(outside === undefined ? {} : { outside }),
  };
}

async function look(
  node: Node,
  families: readonly Family[],
  options: RunOptions,
): Promise<InventoryHost> {
  const program = inventoryProgram(node.journalPath, families);
  try {
    const { parts, outcome } = await askParts(node, program, options);
    return parts === undefined
      ? { is: "unreachable", why: cutOff(outcome) }
      : readHost(parts, node.name);
  } catch (error) {
    if (!(error instanceof UnreachableError)) throw error;
    return { is: "unreachable", why: error.reason };
  }
}

function cutOff(outcome: Outcome): string {
  const said = outcome.stderr.trim().split("\n").at(-1) ?? "";
  return `its answer was cut off (${ending(outcome)})${said && `: ${said}`}`;
}

/**
 * Reads a machine's answer to the inventory's question.
 *
 * @param name the machine's, for messages
 */
export function readHost(parts: readonly AnswerPart[], name: string): Host {
  const text = (part: string) => partOf(parts, part) ?? "";
  const { complete, fault } = readComplete(text("journal"), name);
  const links = readLinks(text("links"));
  const names = bySandbox(linesOf(parts, "names"));
  const namespaces = bySandbox(linesOf(parts, "namespaces"));
  const leases = readLeases(text("leases"));
  const path = partOf(parts, "list.path");
  const chains = (kind: "forward" | "nat") =>
    ([4, 6] as const).flatMap((family) => {
      const own = kind === "nat" ? natRules(text("nft"), family) : [];
      const printed = text(`${kind}${family}`) ||
        (own.length > 0 ? "-P POSTROUTING ACCEPT\n" : "");
      return readRules(family, own.join("\n") + "\n" + printed);
    });
  const agent = readAgent(linesOf(parts, "agent"));
  const sessions = readSessions(text("bgp"));
  return {
    is: "read",
    complete,
    ...(fault === undefined ? {} : { journalFault: fault }),
    links,
    routes: [
      ...readRoutes(text("routes"), 4),
      ...readRoutes(text("routes6"), 6),
    ],
    forward: chains("forward"),
    postrouting: chains("nat"),
    sysctls: Object.fromEntries(
      sysctlNames.flatMap((name) => {
        const value = partOf(parts, `sysctl ${name}`);
        return value === undefined ? [] : [[name, value.trim()]];
      }),
    ),
    pods: groupsOf(parts, "pod").map((own) => {
      const of = (part: string) => partOf(own, part) ?? "";
      return podOf(
        of("pod"),
        {
          links: readLinks(of("pod.links")),
          routes: [
            ...readRoutes(of("pod.routes"), 4),
            ...readRoutes(of("pod.routes6"), 6),
          ],
        },
        links,
        {
          name: names.get(of("pod")),
          namespace: namespaces.get(of("pod")),
        },
      );
    }),
    leases: leases.filter(isLease),
    brokenLeases: leases.filter((lease) => !isLease(lease)),
    ...(path === undefined ? {} : { list: { path, text: text("list") } }),
    plugins: linesOf(parts, "plugins"),
    ...(partOf(parts, "daemon") === undefined
      ? {}
      : { daemon: readDaemon(linesOf(parts, "daemon")) }),
    ...(sessions.length === 0 ? {} : { sessions }),
    ...(agent === undefined ? {} : { agent }),
  };
}

/** Lines of a sandbox and what libcni remembers of it. */
function bySandbox(lines: readonly string[]): ReadonlyMap<string, string> {
  return new Map(lines.map((line) => {
    const [sandbox = "", ...text] = line.split(" ");
    return [sandbox, text.join(" ")] as const;
  }));
}

/** A machine whose journal is damaged has much to say all the same. */
function readComplete(
  journal: string,
  name: string,
): { readonly complete: readonly StageName[]; readonly fault?: string } {
  if (journal.trim() === "") return emptyJournal;
  try {
    return parseJournal(journal, `${name}: its journal`);
  } catch (error) {
    if (!(error instanceof JournalError)) throw error;
    return { complete: [], fault: error.message };
  }
}

function readRules(family: Family, text: string): InventoryRules[] {
  const lines = text.split("\n");
  const [, policy] = /^-P \S+ (\S+)$/m.exec(text) ?? [];
  if (policy === undefined) return [];
  const rules = lines.filter((line) => line.startsWith("-A "));
  return [{ family, policy, rules }];
}

export type {
  BrokenLease,
  InventoryLink,
  InventoryPod,
  InventoryRoute,
  NodeLease,
};
