/**
 * The exercises: in each, somebody ran one stage wrongly on one node. A learner
 * is told what users complain of, finds the cause with the trace, and repairs
 * it with that stage. Pure.
 */
import { unlessGone, withCirculatingRule } from "./wrong_masquerade.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../stage/make_command.ts";
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
  /** What was wrong, for whoever has solved it. */
  readonly moral: string;
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
  const ends = { from, to };
  const make = (target: string) => makeLine(target, cluster);
  const trace = make(`trace FROM=${from} TO=${to}`);
  const on = (node: string, command: string) =>
    make(`shell NODE=${node} ARGS="-- ${command}"`);
  const repair = (stage: StageName, node: string) =>
    make(`${stage} ARGS="--node ${node}"`);
  return [{
    number: 1,
    title: `no pod reaches the pods of ${two}`,
    symptom: `No pod gets an answer from ${to}, not even ${two}/${caller}, ` +
      `its neighbour on the bridge. The nodes themselves reach ${to} without ` +
      "any trouble, so the web server is not to blame.",
    ...ends,
    hints: [
      {
        says:
          "Trace it. At which node is the last good hop, and what comes after it there?",
        run: trace,
      },
      {
        says:
          `On ${two}, which rules has the chain FORWARD, and what becomes of a packet that none of them accepts?`,
        run: on(two, "iptables -S FORWARD"),
      },
      {
        says:
          "The rules accept a network, but which one? Whoever ran stage 06 there took the nodes' network for the pods'. The stage repairs it:",
        run: repair("06-forwarding", two),
      },
    ],
    stage: "06-forwarding",
    on: two,
    wrongly: forTheSegment,
    moral: `Stage 06 had been run on ${two} with the segment ` +
      `${
        cluster.segmentCIDRs.join(", ")
      } for the pod network: what pods sent ` +
      "met no ACCEPT, and FORWARD's policy dropped it. Nodes were let through, " +
      "for their addresses are in that segment.",
  }, {
    number: 2,
    title: `pods of ${one} and ${two} do not reach each other`,
    symptom: `${from} gets no answer from ${to}, and ${two}/${caller} none ` +
      `from ${one}/${server}. Each of them reaches everything else: its ` +
      "neighbours, the nodes, and what is outside the cluster.",
    ...ends,
    hints: [
      {
        says: "Trace it. Does the packet arrive? And where does the answer go?",
        run: trace,
      },
      {
        says:
          `An answer needs a way too. What does ${two} know of the pods of ${one}, and what ${one} of those of ${two}?`,
        run: on(two, "ip route"),
      },
      {
        says:
          `${two} sends what is for the pods of ${one} to an address that is not ${one}'s. Stage 08 repairs it:`,
        run: repair("08-routes", two),
      },
    ],
    stage: "08-routes",
    on: two,
    wrongly: (stage) => throughTheGateway(stage, one),
    moral: `Stage 08 had been run on ${two} with a wrong address for ${one}: ` +
      "requests arrived, but the answers went to the default gateway, which " +
      "knows no pods. A path works only if both directions do.",
  }, {
    number: 3,
    title: `${to} cannot tell the pods of ${one} apart`,
    symptom: "Every ping is answered and every page is served. But the web " +
      `server in ${to} logs one and the same address for all pods of ${one}, ` +
      "and it is no pod's.",
    ...ends,
    hints: [
      {
        says: "Trace it. At which hop does the source address change?",
        run: trace,
      },
      {
        says:
          `What may change a source address is in the table nat of ${one}. Which packets does the rule there not leave alone?`,
        run: on(one, "iptables -t nat -S POSTROUTING"),
      },
      {
        says:
          "The rule lacks the exemption of the pod network. Stage 07 takes it out and puts the right one in:",
        run: repair("07-masquerade", one),
      },
    ],
    stage: "07-masquerade",
    on: one,
    wrongly: withCirculatingRule,
    moral: `Stage 07 had been run on ${one} without ` +
      `"! -d ${
        cluster.clusterCIDRs.join('" and "! -d ')
      }": what pods sent to ` +
      "pods of other nodes was masqueraded too, and no ping shows that.",
  }];
}

/** A stage whose steps are planned for another cluster file than the true one. */
function misread(stage: Stage, change: (plan: Plan) => Plan): Stage {
  const { steps } = stage;
  if (steps === undefined) return stage;
  return { ...stage, steps: (plan) => steps(change(plan)).map(patient) };
}

/** Who repairs it by hand first has taken back already what the stage will take back. */
function patient(step: Step): Step {
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
