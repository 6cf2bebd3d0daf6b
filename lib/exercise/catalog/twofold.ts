/** Step 4: two faults at once, of which one hides the other or looks like it. */
import type { ExerciseData } from "../exercise.ts";

const difficulty = 4;

/** The exercises of step 4. */
export const twofoldExercises: readonly ExerciseData[] = [
  {
    id: "way-and-wall",
    title: "one repair, and still no page from {two}/web",
    difficulty,
    layers: ["route", "filter"],
    story:
      "{one}/shell does not reach {two}/web. A colleague found the cause, " +
      "mended it, and went home. It was not all.",
    goal: "Pods of {one} reach the pods of {two}.",
    hints: [{
      says: "Trace it, repair what is found, and trace again.",
      look: "trace",
    }, {
      says: "Once the packet comes to {two}: what does that do with it?",
      look: { on: "{two}", run: "iptables -v -S FORWARD" },
    }],
    faults: [
      { on: "{one}", run: "ip route del {pods2}" },
      {
        on: "{two}",
        run: "iptables -w -I FORWARD -s {pods1} -j DROP",
      },
    ],
    repairs: [
      { stage: "08-routes", on: "{one}" },
      {
        on: "{two}",
        run: "iptables -w -D FORWARD -s {pods1} -j DROP",
      },
    ],
    shownBy: { tool: "trace", says: "no route to the pods of {two}" },
    explanation: "{one} had no route to {pods2}, and {two} dropped what came " +
      "from {pods1}. The second fault shows only once the first is gone: a " +
      "repair is done when the path works, not when a fault was found.",
  },
  {
    id: "half-awake",
    title: "{two} passes nothing on, and {one} hides its pods",
    difficulty,
    layers: ["sysctl", "NAT"],
    story:
      "{one}/shell gets no answer from {two}/web. It will be easy to get " +
      "one; but then look at whom {two}/web sees.",
    goal: "{two}/web answers the pods of {one}, and sees each by its address.",
    hints: [{
      says: "Trace it. Repair, trace again, and read the source address too.",
      look: "trace",
    }, {
      says: "Which of these rules meets what goes to a pod of another node?",
      look: { on: "{one}", run: "iptables -t nat -S POSTROUTING" },
    }],
    faults: [
      { on: "{two}", run: "sysctl -qw net.ipv4.ip_forward=0" },
      {
        on: "{one}",
        run: "iptables -w -t nat -I POSTROUTING -s {pods1} ! -o {bridge} " +
          "-j MASQUERADE",
      },
    ],
    repairs: [
      { stage: "06-forwarding", on: "{two}" },
      {
        on: "{one}",
        run: "iptables -w -t nat -D POSTROUTING -s {pods1} ! -o {bridge} " +
          "-j MASQUERADE",
      },
    ],
    shownBy: { tool: "trace", says: "forward" },
    explanation:
      "net.ipv4.ip_forward was 0 on {two}; and {one} had, ahead of " +
      "ours, the masquerade as it stands in many instructions, without the " +
      "exemption of pods. A page that comes does not prove the second.",
  },
  {
    id: "black-hole",
    title: "big packets to {two} vanish, and nobody says so",
    difficulty,
    layers: ["MTU", "filter"],
    story:
      "Small things work between {one} and {two}, big ones hang. On other " +
      "networks a sender is told that its packets are too big, and takes " +
      "smaller ones. Here it is not told.",
    goal: "Packets of 1500 bytes get from {one} to {two}; and the sender " +
      "of one that is too big is told.",
    hints: [{
      says: "Trace it: what becomes of the packet of 1500 bytes?",
      look: "trace",
    }, {
      says:
        "A kernel that cannot send a packet on tells its sender by ICMP. May " +
        "it?",
      look: { on: "{two}", run: "iptables -S OUTPUT" },
    }],
    faults: [
      { on: "{two}", run: "ip link set dev {uplink} mtu 1400" },
      {
        on: "{two}",
        run: "iptables -w -A OUTPUT -p icmp --icmp-type fragmentation-needed " +
          "-j DROP",
      },
    ],
    trials: [{
      says: "a packet of 1500 bytes does not get from {one} to {two}",
      on: "{one}",
      run: "ping -nc1 -W1 -M do -s 1472 {address2}",
    }],
    repairs: [
      { on: "{two}", run: "ip link set dev {uplink} mtu 1500" },
      {
        on: "{two}",
        run: "iptables -w -D OUTPUT -p icmp --icmp-type fragmentation-needed " +
          "-j DROP",
      },
    ],
    shownBy: { tool: "trace", says: "{uplink} of {two}" },
    explanation:
      "{uplink} of {two} took 1400 bytes only, and {two} dropped the " +
      "ICMP that tells senders so (fragmentation-needed): a black hole of path " +
      "MTU discovery. With all links equal the second fault shows nothing, and " +
      "waits for the next narrow one.",
  },
  {
    id: "two-doors",
    title: "{one} cannot find {two}, and does not ask",
    difficulty,
    layers: ["ARP", "route"],
    story: "{one} and its pods have lost {two}. It was mended once today, by " +
      "somebody who restarted things. It came back for the pods alone.",
    goal: "{one} and its pods reach {two} and all its pods.",
    hints: [{
      says:
        "Trace it, from the pod and from the node {one}. Do they end at the " +
        "same place?",
      look: "trace",
    }, {
      says:
        "To find a machine takes a way and a link-layer address. Look at both.",
      look: {
        on: "{one}",
        run: "sh -c 'ip route show match {gateway2}; ip neigh'",
      },
    }],
    faults: [
      {
        on: "{one}",
        run: "ip neigh replace {address2} lladdr 02:00:00:00:00:98 " +
          "dev {uplink} nud permanent",
      },
      { on: "{one}", run: "ip route add {part2} via {outside}" },
    ],
    repairs: [
      { on: "{one}", run: "ip neigh del {address2} dev {uplink}" },
      { on: "{one}", run: "ip route del {part2} via {outside}" },
    ],
    shownBy: { tool: "trace", says: "{part2}" },
    explanation: "{one} had a permanent neighbour entry for {two} that no " +
      "machine has, and a route for a part of {pods2} by another machine. The " +
      "trace of a pod meets the route, that of the node meets the neighbour.",
  },
  {
    id: "marked-answers",
    title: "{two} answers, and its answers take another way",
    difficulty,
    layers: ["policy routing", "filter"],
    story:
      "Whatever the pods of {two} send to other nodes is lost; requests do " +
      "arrive. The tables on {two} show the right way for every address.",
    goal: "Answers of the pods of {two} go where the tables say.",
    hints: [{
      says: "Trace it. On the way back, which way does {two} choose, and why?",
      look: "trace",
    }, {
      says:
        "A packet may bear a mark, and a mark may have a table of its own. " +
        "Who sets it, and who reads it?",
      look: { on: "{two}", run: "sh -c 'ip rule; iptables -t mangle -S'" },
    }],
    faults: [
      {
        on: "{two}",
        run: "iptables -w -t mangle -A PREROUTING -s {pods2} -j MARK " +
          "--set-mark 7",
      },
      {
        on: "{two}",
        run: "ip rule add fwmark 7 lookup 101; " +
          "ip route add default via {outside} table 101",
      },
    ],
    repairs: [
      {
        on: "{two}",
        run: "iptables -w -t mangle -D PREROUTING -s {pods2} -j MARK " +
          "--set-mark 7",
      },
      {
        on: "{two}",
        run: "ip rule del fwmark 7 lookup 101; " +
          "ip route del default via {outside} table 101",
      },
    ],
    shownBy: { tool: "trace", says: "mark 7" },
    explanation:
      "A rule in the table mangle of {two} marked what its pods send, " +
      "and a rule of policy routing sent what bears that mark to the default " +
      "gateway, which knows no pods. Either alone does nothing; one of them " +
      "left behind waits for the other.",
  },
];
