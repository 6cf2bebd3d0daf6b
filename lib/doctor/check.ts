/** What a check of the doctor is: a question to a node, and a pure reading of its answers. */
import type { Family } from "../net/cidr.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { oncePer } from "../cluster/once.ts";
import { type Command, show } from "../exec/command.ts";
import { type Evidence, evidence } from "../diagnosis/evidence.ts";
import { familiesOf, inFamily } from "../cluster/address_family.ts";
import type {
  Host,
  InventoryLink,
  InventoryNode,
} from "../inventory/inventory.ts";
import type { StageName } from "../stage/stage.ts";
import type { Reported } from "../diagnosis/cause.ts";
import type { RouterAnswer } from "../diagnosis/segments/router_answer.ts";
import { makeStage, type Remedy } from "../diagnosis/remedy.ts";
import type { Asked } from "../node/batch.ts";

/** A node as the doctor sees it. */
export interface CheckContext {
  readonly cluster: Cluster;
  readonly node: ClusterNode;
  readonly host: Host;
  /** All nodes of the cluster, this one among them. */
  readonly nodes: readonly InventoryNode[];
  /** What the router between a lab's segments says of itself. */
  readonly router?: RouterAnswer;
  /** When it was asked, in seconds since 1970 by the operator's clock. */
  readonly asked: { readonly from_s: number; readonly until_s: number };
}

/** What a check found; one that finds nothing is well. */
export type Finding =
  /** A fault loses packets or pods now; a warning may, or will. */
  | Trouble
  /** It could not be found out. */
  | {
    readonly is: "unknown";
    readonly what: string;
    readonly evidence: readonly Evidence[];
  }
  /** As it has to be until this stage has run. */
  | {
    readonly is: "not yet";
    readonly what: string;
    readonly until: StageName;
  }
  | { readonly is: "does not apply"; readonly what: string };

/** Something that has to be mended. */
interface Trouble {
  readonly is: "fault" | "warning";
  /** A sentence without its full stop. */
  readonly what: string;
  readonly evidence: readonly Evidence[];
  readonly remedies: readonly Remedy[];
}

/** A finding as it is reported. */
export type FindingReport =
  | Exclude<Finding, Trouble>
  | Reported<Trouble>;

/** A known trap. */
export interface Check {
  readonly name: string;
  /** What holds where it finds nothing. */
  readonly well: string;
  /** What it asks a node beside what the inventory has. */
  readonly asks?: (context: CheckContext) => readonly Command[];
  /** @param answers to its questions, in their order */
  readonly read: (
    context: CheckContext,
    answers: readonly Asked[],
  ) => readonly Finding[];
}

/** What the stage did is not there: to be mended where it has run, else to be waited for. */
export function lacking(
  { node, host }: CheckContext,
  stage: StageName,
  what: string,
  evidence: readonly Evidence[],
): Finding {
  return host.complete.includes(stage)
    ? { is: "fault", what, evidence, remedies: [makeStage(stage, node.name)] }
    : { is: "not yet", what, until: stage };
}

/** An answer that settles nothing. */
export function unclear(what: string, asked: Asked | undefined): Finding {
  return {
    is: "unknown",
    what: `cannot tell ${what}`,
    evidence: asked === undefined ? [] : [evidence(asked)],
  };
}

/** What evidence has until its command has been run. */
export const unasked = "";

/**
 * Evidence for what the inventory or a whole script told: a command that shows
 * the same. The engine runs it.
 */
export function shownBy(
  { node }: { readonly node: { readonly name: string } },
  command: Command,
): Evidence {
  return { where: node.name, command: show(command), printed: unasked };
}

/** The context as if its cluster had one family alone. */
export interface OneFamily {
  readonly family: Family;
  readonly cluster: Cluster;
  readonly node: ClusterNode;
  /** Its podCIDR; none before 02. */
  readonly podCIDR: string | undefined;
}

/** The same for all nodes. */
const inFamilies = oncePer((cluster: Cluster) =>
  familiesOf(cluster).map((family) => ({
    family,
    one: inFamily(cluster, family),
  }))
);

/** The context, once a family. */
export function byFamily(
  { cluster, node }: CheckContext,
): readonly OneFamily[] {
  return inFamilies(cluster).map(({ family, one }) => {
    const own = one.nodes.find(({ name }) => name === node.name) ?? node;
    return { family, cluster: one, node: own, podCIDR: own.podCIDRs[0] };
  });
}

/** The link by which a node reaches the others: the one that has its address. */
export function uplinkOf(
  { links }: Host,
  addresses: readonly string[],
): InventoryLink | undefined {
  return links.find((link) =>
    link.addresses.some(({ address }) => addresses.includes(address))
  );
}
