/** Step 1: what a stage makes is wrong or gone, and that stage repairs it. */
import type { ExerciseData } from "../exercise.ts";

const difficulty = 1;

/** A stage that was run wrongly on one node. */
const runWrongly: readonly ExerciseData[] = [
  {
    id: "wrong-network",
    title: "no pod reaches the pods of {two}",
    difficulty,
    layers: ["filter"],
    story: "No pod gets an answer from {two}/web, not even {two}/shell, its " +
      "neighbour. The nodes themselves reach {two}/web without any trouble, " +
      "so the web server is not to blame.",
    goal: "Pods everywhere reach the pods of {two} again.",
    hints: [{
      says: "Trace it. At which node is the last good hop, and what comes " +
        "after it there?",
      look: "trace",
    }, {
      says:
        "On {two}, which rules has the chain FORWARD, and what becomes of " +
        "a packet that none of them accepts? They accept a network, but which?",
      look: { on: "{two}", run: "{showForward}" },
    }],
    faults: [{
      stage: "06-forwarding",
      on: "{two}",
      wrongly: "for the segment",
    }],
    repairs: [{ stage: "06-forwarding", on: "{two}" }],
    shownBy: { tool: "trace", says: "FORWARD" },
    explanation: "Stage 06 had been run on {two} with the segment {segment} " +
      "for the pod network: what pods sent met no ACCEPT, and FORWARD's policy " +
      "dropped it. Nodes were let through, for their addresses are in that " +
      "segment.",
  },
  {
    id: "answers-astray",
    title: "pods of {one} and {two} do not reach each other",
    difficulty,
    layers: ["route"],
    story: "{one}/shell gets no answer from {two}/web, and {two}/shell none " +
      "from {one}/web. Each of them reaches everything else: its neighbours, " +
      "the nodes, and what is outside the cluster.",
    goal: "Pods of both nodes reach each other, in both directions.",
    hints: [{
      says: "Trace it. Does the packet arrive? And where does the answer go?",
      look: "trace",
    }, {
      says: "An answer needs a way too. What does {two} know of the pods of " +
        "{one}, and what {one} of those of {two}?",
      look: { on: "{two}", run: "ip route" },
    }],
    faults: [{
      stage: "08-routes",
      on: "{two}",
      wrongly: "through the gateway",
    }],
    repairs: [{ stage: "08-routes", on: "{two}" }],
    shownBy: { tool: "trace", says: "{two}" },
    explanation: "Stage 08 had been run on {two} with a wrong address for " +
      "{one}: requests arrived, but the answers went to the default gateway, " +
      "which knows no pods. A path works only if both directions do.",
  },
  {
    id: "lost-source",
    title: "{two}/web cannot tell the pods of {one} apart",
    difficulty,
    layers: ["NAT"],
    story: "Every ping is answered and every page is served. But the web " +
      "server in {two}/web logs one and the same address for all pods of " +
      "{one}, and it is no pod's.",
    goal: "{two}/web sees the pods of {one} by their own addresses.",
    hints: [{
      says: "Trace it. At which hop does the source address change?",
      look: "trace",
    }, {
      says:
        "What may change a source address is among the rules of NAT of {one}. " +
        "Which packets does the rule there not leave alone?",
      look: { on: "{one}", run: "{showNat}" },
    }],
    faults: [{
      stage: "07-masquerade",
      on: "{one}",
      wrongly: "without the exemption",
    }],
    repairs: [{ stage: "07-masquerade", on: "{one}" }],
    shownBy: { tool: "trace", says: "{one}" },
    explanation: "Stage 07 had been run on {one} without {exemption}: what " +
      "pods sent to pods of other nodes was masqueraded too, and no ping shows " +
      "that.",
  },
];

/** What a stage made, and something took away. */
const takenAway: readonly ExerciseData[] = [
  {
    id: "route-gone",
    title: "pods of {one} reach all but the pods of {two}",
    difficulty,
    layers: ["route"],
    story: "Since this morning {one}/shell gets no page from {two}/web. The " +
      "node {two} itself answers it, and so do its own neighbours.",
    goal: "Pods of {one} reach those of {two}, each seen by its own address.",
    hints: [{
      says: "Trace it. Which machine is the last that has the packet, and " +
        "should it have come there at all?",
      look: "trace",
    }, {
      says:
        "Which way does {one} choose for an address of a pod on {two}, and " +
        "which for one on {three}?",
      look: { on: "{one}", run: "ip route get fibmatch {gateway2}" },
    }],
    faults: [{ on: "{one}", run: "ip route del {pods2}" }],
    repairs: [{ stage: "08-routes", on: "{one}" }],
    shownBy: { tool: "trace", says: "no route to the pods of {two}" },
    explanation: "{one} had no route to {pods2}, the pods of {two}, so its " +
      "default route took what was for them, to a gateway that knows no pods. A " +
      "masquerade or a route elsewhere would only have hidden that.",
  },
  {
    id: "no-forwarding",
    title: "{two} answers, and its pods talk to nobody elsewhere",
    difficulty,
    layers: ["sysctl"],
    story:
      "Somebody hardened {two}. Its own web server answers everybody, its " +
      "two pods talk to each other and to their node; nothing that goes " +
      "further gets an answer, in either direction.",
    goal: "Pods of {two} reach other machines, and are reached from them.",
    hints: [{
      says:
        "Trace it. What comes after the last good hop on {two}: a rule that " +
        "drops, or no word at all?",
      look: "trace",
    }, {
      says:
        "A machine passes on what is not for itself only if it was told to. " +
        "What was {two} told?",
      look: { on: "{two}", run: "sysctl net.ipv4.ip_forward" },
    }],
    faults: [{ on: "{two}", run: "sysctl -qw net.ipv4.ip_forward=0" }],
    repairs: [{ stage: "06-forwarding", on: "{two}" }],
    shownBy: { tool: "trace", says: "forward" },
    explanation:
      "net.ipv4.ip_forward was 0 on {two}, so its kernel took only " +
      "what was for the node itself. No rule dropped anything, and so no " +
      "counter of a rule showed it. Pods of one node reach each other " +
      "without it: a bridge does not route.",
  },
  {
    id: "bridge-down",
    title: "the pods of {two} reach nothing at all",
    difficulty,
    layers: ["bridge"],
    story: "Both pods of {two} run, have their addresses, and get an answer " +
      "from nobody: not from their node, not even from each other.",
    goal: "The pods of {two} reach everything again.",
    hints: [{
      says: "Trace it. Does what the pod sends come to its node at all?",
      look: "trace",
    }, {
      says:
        "What joins the two pods and their node is one device on {two}. In " +
        "which state is it?",
      look: { on: "{two}", run: "ip -br link" },
    }],
    from: "{two}/shell",
    to: "{one}/web",
    faults: [{ on: "{two}", run: "ip link set dev {bridge} down" }],
    repairs: [{ stage: "04-bridge", on: "{two}" }],
    shownBy: { tool: "trace", says: "{bridge}" },
    explanation: "The bridge {bridge} of {two} was down: a switch without " +
      "power. Its ports were still up, and its address was still there, but " +
      "the kernel had taken the route to {pods2} away with it.",
  },
  {
    id: "gateway-gone",
    title: "the pods of {one} reach each other and nothing else",
    difficulty,
    layers: ["address"],
    story: "{one}/shell and {one}/web still talk to each other. Everything " +
      "else is silent, their own node included.",
    goal: "The pods of {one} reach everything again.",
    hints: [{
      says: "Trace it. To which address does the pod hand what is not for a " +
        "neighbour, and who answers for that address?",
      look: "trace",
    }, {
      says: "Which addresses has the bridge of {one}, and which did the pods " +
        "expect there?",
      look: { on: "{one}", run: "ip -br addr show dev {bridge}" },
    }],
    faults: [{
      on: "{one}",
      run: "ip addr del {gateway1}/{length1} dev {bridge}",
    }],
    repairs: [{ stage: "04-bridge", on: "{one}" }],
    shownBy: { tool: "trace", says: "{gateway1}" },
    explanation: "{bridge} of {one} had lost {gateway1}, its pods' gateway: " +
      "they asked for it by ARP, and no machine answered. The kernel's own " +
      "route to {pods1} had gone with the address.",
  },
  {
    id: "no-masquerade",
    title: "the pods of {two} cannot leave the cluster",
    difficulty,
    layers: ["NAT"],
    story: "Within the cluster all is well. But {two}/shell gets no answer " +
      "from the world outside, which {one}/shell and the node {two} itself do " +
      "reach.",
    goal: "Pods of {two} reach the world outside, which sees their node.",
    from: "{two}/shell",
    to: "outside",
    hints: [{
      says: "Trace it. Does the packet come to the world outside? And whose " +
        "address does it bear there?",
      look: "trace",
    }, {
      says:
        "Machines outside know no pods, so something has to put the node's " +
        "address in their place. Compare the two workers:",
      look: { on: "{two}", run: "{showNat}" },
    }],
    faults: [{ on: "{two}", run: "{flushNat}" }],
    repairs: [{ stage: "07-masquerade", on: "{two}" }],
    shownBy: { tool: "trace", says: "does not masquerade" },
    explanation: "The masquerade of {two} was gone. What its pods sent did " +
      "leave and did arrive, under an address to which nobody outside has a " +
      "way back.",
  },
];

/** The exercises of step 1. */
export const wrongStageExercises: readonly ExerciseData[] = [
  ...runWrongly,
  ...takenAway,
];
