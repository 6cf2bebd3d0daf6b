/** Step 2: something that no stage made stands in the way in or at a pod, and has to go. */
import type { ExerciseData } from "../exercise.ts";

const difficulty = 2;

/** Those of step 2 in the pods. */
export const podExercises: readonly ExerciseData[] = [
  {
    id: "pod-gateway",
    title: "{one}/shell talks to its neighbour only",
    difficulty,
    layers: ["route"],
    story: "{one}/web reaches everything, and so does its node. {one}/shell, " +
      "on the same bridge, gets an answer from {one}/web and from nobody else.",
    goal: "{one}/shell reaches everything that {one}/web does.",
    hints: [{
      says: "Trace it. Where does the pod itself want to send the packet?",
      look: "trace",
    }, {
      says: "A pod has a way of its own to what is no neighbour. Compare the " +
        "two pods of {one}.",
      look: { on: "{one}/shell", run: "ip route" },
    }],
    faults: [{
      on: "{one}",
      run: "inside shell ip route replace default via {nobody1}",
    }],
    repairs: [{
      on: "{one}",
      run: "inside shell ip route replace default via {gateway1}",
    }],
    shownBy: { tool: "trace", says: "{nobody1}" },
    explanation: "The default route of {one}/shell went to {nobody1}, where " +
      "nobody is, and not to its gateway {gateway1}. Its neighbours are on its " +
      "own link and need no gateway.",
  },
  {
    id: "unplugged",
    title: "{two}/web is unreachable, and its neighbour is well",
    difficulty,
    layers: ["bridge"],
    story:
      "{two}/web runs, and its web server listens. Nobody reaches it, and " +
      "it reaches nobody. {two}/shell, made in the same minute, is well.",
    goal: "Everybody reaches {two}/web.",
    hints: [{
      says:
        "Trace it. Up to which machine does the packet come, and what lies " +
        "between that and the pod?",
      look: "trace",
    }, {
      says:
        "A pod's cable ends in a port of the bridge. How many ports has the " +
        "bridge of {two}?",
      look: { on: "{two}", run: "bridge link" },
    }],
    faults: [{ on: "{two}", run: 'ip link set dev "$(veth web)" nomaster' }],
    repairs: [{
      on: "{two}",
      run: 'ip link set dev "$(veth web)" master {bridge}; ' +
        'bridge link set dev "$(veth web)" hairpin on',
    }],
    shownBy: { tool: "trace", says: "{bridge}" },
    explanation:
      "The host veth of {two}/web was no port of {bridge} any more: " +
      "a cable that is plugged in nowhere. The plugin sets a port to hairpin " +
      "mode as well, for a pod that calls itself by a Service; a new pod has " +
      "it all at once.",
  },
  {
    id: "cable-down",
    title: "{one}/shell is cut off",
    difficulty,
    layers: ["link"],
    story: "{one}/shell runs, has its address and its way out, and gets no " +
      "answer from anybody. {one}/web is well.",
    goal: "{one}/shell reaches everything again.",
    hints: [{
      says: "Trace it. How far does the packet come?",
      look: "trace",
    }, {
      says: "A veth is a cable with two ends. In which state is each?",
      look: { on: "{one}/shell", run: "ip link show dev eth0" },
    }],
    faults: [{ on: "{one}", run: 'ip link set dev "$(veth shell)" down' }],
    repairs: [{ on: "{one}", run: 'ip link set dev "$(veth shell)" up' }],
    shownBy: { tool: "trace", says: "down" },
    explanation:
      "The host's end of the veth of {one}/shell was down, which its " +
      "own end shows as NO-CARRIER or LOWERLAYERDOWN. A second pod address or " +
      "a new route cannot help where there is no cable.",
  },
  {
    id: "silent-pod",
    title: "monitoring says that {two}/web is dead",
    difficulty,
    layers: ["sysctl"],
    story:
      "The monitoring pings {two}/web from {one}/shell and from {three}, " +
      "and calls it dead. Its users get their pages all the time.",
    goal: "{two}/web answers pings.",
    hints: [{
      says: "Trace it. Which of the packets is answered, and does the other " +
        "arrive?",
      look: "trace",
    }, {
      says: "What arrives and is not answered was meant for the pod's own " +
        "kernel. What was that told?",
      look: { on: "{two}/web", run: "sysctl -a -r icmp" },
    }],
    faults: [{
      on: "{two}",
      run: "inside web sysctl -qw net.ipv4.icmp_echo_ignore_all=1",
    }],
    trials: [{
      says: "{two}/web answers no ping from its own node",
      on: "{two}",
      run: 'ping -nc1 -W1 "$(address web)"',
    }],
    repairs: [{
      on: "{two}",
      run: "inside web sysctl -qw net.ipv4.icmp_echo_ignore_all=0",
    }],
    shownBy: { tool: "trace", says: "answers no ping" },
    explanation: "net.ipv4.icmp_echo_ignore_all was 1 in {two}/web. A ping " +
      "proves a kernel that answers pings; a page proves what users want.",
  },
];
