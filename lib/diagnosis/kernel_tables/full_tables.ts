/** Tables of the kernel that are full, or will be. Pure. */
import type { Cluster } from "../../cluster/cluster.ts";
import { isCrowded } from "../../lab/steps.ts";
import { show } from "../../exec/command.ts";
import type { Cause } from "../cause.ts";
import { onNode, type Remedy } from "../remedy.ts";
import type { NodeFacts } from "../evidence.ts";
import { readTables } from "./kernel_tables.ts";
import { familiesOf } from "../../cluster/address_family.ts";
import type { KernelTable } from "./table.ts";

/** A table that has no room, or little. */
interface FullTable {
  /** Whether it has no room now, or will have none. */
  readonly is: "full" | "scarce";
  readonly table: KernelTable;
  /** The same as what is wrong. */
  readonly cause: Cause;
}

/** Shares of a table above which it counts as full, and as nearly full. */
const full = 0.97, nearly = 0.8;

/**
 * The tables of a node that are full or will be, those first that are.
 *
 * @param tables what the node told
 * @param on the node's name
 */
export function fullTables(
  tables: readonly KernelTable[],
  cluster: Cluster,
  on: string,
): readonly FullTable[] {
  const found = tables.flatMap((whole): readonly FullTable[] => {
    const table = bounded(whole, cluster);
    const { used, limit, refused = 0 } = table;
    const need = neededBy(table, cluster);
    if (used < limit * nearly && need <= limit) return [];
    // Above its limit are only entries that it is not for, say another lab's.
    if (used > limit && refused === 0 && need <= limit) return [];
    const is = used >= limit * full ? "full" : "scarce";
    const { shownBy, printed } = table;
    const cause: Cause = {
      kind: "kernel-table",
      on,
      what: whatOf(table, cluster, on, need),
      evidence: [{ where: on, command: show(shownBy), printed }],
      remedies: remediesOf(table, cluster, on, Math.max(used, need)),
    };
    return [{ is, table, cause }];
  });
  return found.toSorted(fullFirst);
}

/** A table with those entries only that its limit is for. */
function bounded(
  table: KernelTable,
  { provider, nodes }: Cluster,
): KernelTable {
  const { used, unbounded = 0, oneForAll } = table;
  // All nodes of a lab have put in about as many.
  const times = oneForAll && provider === "lab" ? nodes.length : 1;
  return { ...table, used: Math.max(0, used - unbounded * times) };
}

/**
 * The tables that packets between some nodes need and that are full or will
 * be, as causes of their loss; those first that are.
 *
 * @param facts by node
 * @param cluster with the addresses of one family alone
 */
export function packetTables(
  facts: ReadonlyMap<string, Pick<NodeFacts, "tables">>,
  nodes: readonly string[],
  cluster: Cluster,
): readonly Pick<FullTable, "is" | "cause">[] {
  const families = familiesOf(cluster);
  // What a lab has one of is read on one node: each has another number of it.
  const isLab = cluster.provider === "lab";
  const [first] = facts.keys();
  const found = [...facts].flatMap(([name, { tables }]) => {
    const read = (readTables(tables.outcome) ?? []).filter((table) =>
      table.of === "packets" &&
      (table.family === undefined || families.includes(table.family)) &&
      (isLab && table.oneForAll ? name === first : nodes.includes(name))
    );
    return fullTables(read, cluster, name);
  });
  return found.toSorted(fullFirst);
}

const fullFirst = (a: FullTable, b: FullTable) =>
  Number(b.is === "full") - Number(a.is === "full");

function whatOf(
  { name, used, limit, setting, refused = 0, effect, oneForAll }: KernelTable,
  cluster: Cluster,
  on: string,
  need: number,
): string {
  const where = oneForAll && cluster.provider === "lab"
    ? "this computer's kernel (one for all machines of the lab)"
    : on;
  const bound = setting === undefined ? limit : `${limit} (${setting})`;
  const past = refused > 0
    ? `; it had no room ${refused} times since it was made`
    : "";
  if (used < limit * nearly) {
    return `the ${name} of ${where} has room for ${bound}, and this cluster ` +
      `of ${cluster.nodes.length} nodes takes some ${need}: ${effect}${past}`;
  }
  const how = used >= limit * full
    ? `is full, ${used} of ${bound}`
    : `is nearly full, ${used} of ${bound}; when it is`;
  return `the ${name} of ${where} ${how}: ${effect}${past}`;
}

/** What makes room for twice as much as is wanted. */
function remediesOf(
  { widen, oneForAll, setForAll = oneForAll }: KernelTable,
  { provider }: Cluster,
  on: string,
  wanted: number,
): readonly Remedy[] {
  if (widen === undefined) {
    return [{ say: `have fewer pods on ${on}, and more nodes` }];
  }
  const command = widen(2 ** Math.ceil(Math.log2(wanted * 2)));
  // In a lab's node the setting is not there, or cannot be written.
  return setForAll && provider === "lab"
    ? [{ say: show(command) }]
    : [onNode(on, command)];
}

/** As many pods has a node of Kubernetes where nothing else is said (kubelet, maxPods). */
const usualPods = 110;

/** How many entries the cluster will want of a table, where that can be told. */
function neededBy(
  { setting, family }: KernelTable,
  cluster: Cluster,
): number {
  const isNeighbours = setting?.includes(".neigh.") ?? false;
  if (!isNeighbours || family === undefined) return 0;
  if (!familiesOf(cluster).includes(family)) return 0;
  const machines = cluster.nodes.length;
  if (cluster.provider !== "lab") return machines + usualPods;
  // All know all and the outside, whose kernel is one; of each pair of pods
  // node, pods and gateway know each other.
  const workers = cluster.nodes.filter(({ role }) => role === "worker").length;
  const machinesKnown = isCrowded(cluster) ? 0 : machines * (machines + 1);
  return machinesKnown + workers * 6;
}
