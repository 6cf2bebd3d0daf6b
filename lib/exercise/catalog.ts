/**
 * The exercises: in each, one stage was run wrongly on one node. A learner is
 * told what users complain of, finds the cause with the trace, and repairs it
 * with that stage. Pure.
 */
import { unlessGone, withWrongMasquerade } from "./wrong_masquerade.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import { workersOf } from "../verify/matrix.ts";
import { caller, server } from "../verify/namespace_pods.ts";
import {
  type Plan,
  type Stage,
  type StageName,
  type Step,
  undoOf,
} from "../stage/stage.ts";

/** Where to look, and a line for the operator's shell that looks there. */
interface Hint {
  readonly says: string;
  readonly run: string;
}

/** A stage that was run wrongly, and what came of it. */
export interface Exercise {
  readonly number: number;
  readonly title: string;
  /** What users complain of: what happens, not why. */
  readonly symptom: string;
  /** Where to begin to look: the ends of a trace, as pods' names. */
  readonly from: string;
  readonly to: string;
  /** Each says more than the one before; the last one, what repairs it. */
  readonly hints: readonly [Hint, ...Hint[]];
  /** The stage that was run wrongly, and that repairs it. */
  readonly stage: StageName;
  /** The name of the node on which it was. */
  readonly on: string;
  /** That stage as it was run. */
  readonly wrongly: (stage: Stage) => Stage;
  /** What was wrong, told once it is solved. */
  readonly moral: string;
}

/** What the exercises of a cluster have in common. */
interface Setting {
  readonly cluster: Cluster;
  /** The names of two workers, and the pods between which a trace begins. */
  readonly one: string;
  readonly two: string;
  readonly from: string;
  readonly to: string;
  /** A line that runs a command on a node. */
  readonly on: (node: string, command: string) => string;
  /** A line that runs a stage on a node. */
  readonly repair: (stage: StageName, node: string) => string;
  /** A hint to trace a packet, and what to look for. */
  readonly trace: (says: string) => Hint;
}

/**
 * The exercises on a cluster.
 *
 * @throws {RangeError} when it has fewer than two workers
 */
export function exercises(cluster: Cluster): readonly Exercise[] {
  const [one, two] = workersOf(cluster).map(({ name }) => name);
  if (one === undefined || two === undefined) {
    throw new RangeError("exercises want two workers");
  }
  const from = `${one}/${caller}`;
  const to = `${two}/${server}`;
  const make = (target: string) => makeLine(target, cluster);
  const setting: Setting = {
    cluster,
    ...{ one, two, from, to },
    on: (node, command) => make(`shell NODE=${node} ARGS="-- ${command}"`),
    repair: (stage, node) => make(`${stage} ARGS="--node ${node}"`),
    trace: (says) => ({ says, run: make(`trace FROM=${from} TO=${to}`) }),
  };
  return [unacceptedPods, lostAnswers, lostSource].map((exercise, at) => ({
    number: at + 1,
    from,
    to,
    ...exercise(setting),
  }));
}

/** An exercise without what follows from its place in the list. */
type Part = Omit<Exercise, "number" | "from" | "to">;

function unacceptedPods(
  { cluster, two, to, on, repair, trace }: Setting,
): Part {
  const stage = "06-forwarding";
  return {
    title: `no pod reaches the pods of ${two}`,
    symptom: `No pod gets an answer from ${to}, not even ${two}/${caller}, ` +
      `its neighbour on the bridge. The nodes themselves reach ${to} without ` +
      "any trouble, so the web server is not to blame.",
    hints: [
      trace(
        "Trace it. At which node is the last good hop, and what comes after " +
          "it there?",
      ),
      {
        says: `On ${two}, which rules has the chain FORWARD, and what ` +
          "becomes of a packet that none of them accepts?",
        run: on(two, "iptables -S FORWARD"),
      },
      {
        says: "The rules accept a network, but which one? Stage 06 was run " +
          "there with the nodes' network in place of the pods'. The stage " +
          "repairs it:",
        run: repair(stage, two),
      },
    ],
    stage,
    on: two,
    wrongly: forTheSegment,
    moral: `Stage 06 had been run on ${two} with the segment ` +
      `${cluster.segmentCIDRs.join(", ")} for the pod network: what pods ` +
      "sent met no ACCEPT, and FORWARD's policy dropped it. Nodes were let " +
      "through, for their addresses are in that segment.",
  };
}

function lostAnswers(
  { one, two, from, on, repair, to, trace }: Setting,
): Part {
  const stage = "08-routes";
  return {
    title: `pods of ${one} and ${two} do not reach each other`,
    symptom: `${from} gets no answer from ${to}, and ${two}/${caller} none ` +
      `from ${one}/${server}. Each of them reaches everything else: its ` +
      "neighbours, the nodes, and what is outside the cluster.",
    hints: [
      trace("Trace it. Does the packet arrive? And where does the answer go?"),
      {
        says: `An answer needs a way too. What does ${two} know of the pods ` +
          `of ${one}, and what ${one} of those of ${two}?`,
        run: on(two, "ip route"),
      },
      {
        says: `${two} sends what is for the pods of ${one} to an address ` +
          `that is not ${one}'s. Stage 08 repairs it:`,
        run: repair(stage, two),
      },
    ],
    stage,
    on: two,
    wrongly: (stage) => throughTheGateway(stage, one),
    moral: `Stage 08 had been run on ${two} with a wrong address for ${one}: ` +
      "requests arrived, but the answers went to the default gateway, which " +
      "knows no pods. A path works only if both directions do.",
  };
}

function lostSource(
  { cluster, one, on, repair, to, trace }: Setting,
): Part {
  const stage = "07-masquerade";
  const exemption = cluster.clusterCIDRs.map((cidr) => `"! -d ${cidr}"`)
    .join(" and ");
  return {
    title: `${to} cannot tell the pods of ${one} apart`,
    symptom: "Every ping is answered and every page is served. But the web " +
      `server in ${to} logs one and the same address for all pods of ${one}, ` +
      "and it is no pod's.",
    hints: [
      trace("Trace it. At which hop does the source address change?"),
      {
        says: `What may change a source address is in the table nat of ` +
          `${one}. Which packets does the rule there not leave alone?`,
        run: on(one, "iptables -t nat -S POSTROUTING"),
      },
      {
        says: "The rule lacks the exemption of the pod network. Stage 07 " +
          "takes it out and puts the right one in:",
        run: repair(stage, one),
      },
    ],
    stage,
    on: one,
    wrongly: withWrongMasquerade,
    moral: `Stage 07 had been run on ${one} without ${exemption}: what pods ` +
      "sent to pods of other nodes was masqueraded too, and no ping shows that.",
  };
}

/** A stage whose steps are planned for another cluster file than the true one. */
function misread(stage: Stage, change: (plan: Plan) => Plan): Stage {
  const { steps } = stage;
  if (steps === undefined) return stage;
  return { ...stage, steps: (plan) => steps(change(plan)).map(tolerant) };
}

/** A step whose undo passes where a repair by hand has taken its rule back already. */
function tolerant(step: Step): Step {
  const undo = undoOf(step);
  if (undo === undefined) return step;
  const isRule = /^ip6?tables$/.test(undo.argv[0]) && undo.argv.includes("-D");
  return isRule ? { ...step, undo: unlessGone(undo) } : step;
}

function forTheSegment(stage: Stage): Stage {
  return misread(stage, (plan) => {
    const { cluster } = plan;
    const clusterCIDRs = cluster.segmentCIDRs;
    return { ...plan, cluster: { ...cluster, clusterCIDRs } };
  });
}

function throughTheGateway(stage: Stage, name: string): Stage {
  return misread(stage, (plan) => {
    const { cluster } = plan;
    const { gateway, gateways } = cluster.outside;
    const nodes = cluster.nodes.map((node) =>
      node.name === name
        ? { ...node, address: gateway, addresses: gateways }
        : node
    );
    return { ...plan, cluster: { ...cluster, nodes } };
  });
}
