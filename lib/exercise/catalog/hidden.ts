/** Step 3: the fault lies where people do not look. */
import type { ExerciseData } from "../exercise.ts";

const difficulty = 3;

/** Those of step 3 that a look at routes and iptables does not find. */
export const hiddenExercises: readonly ExerciseData[] = [
  {
    id: "address-twice",
    title: "{one} answers in the name of {two}",
    difficulty,
    layers: ["address"],
    story: "A page of {two} itself, called from a pod of {one}, comes faster " +
      "than ever, and is not the page of {two}. On {two} the call was never " +
      "seen. Called from {three}, all is as it should be.",
    goal: "A call of {two} gets to {two}.",
    to: "{two}",
    hints: [{
      says: "Trace it. Who takes what is for {two}?",
      look: "trace",
    }, {
      says: "What is a machine's own is in its table local, before all others.",
      look: { on: "{one}", run: "ip route get {address2}" },
    }],
    faults: [{ on: "{one}", run: "ip addr add {address2}/32 dev lo" }],
    repairs: [{ on: "{one}", run: "ip addr del {address2}/32 dev lo" }],
    shownBy: { tool: "trace", says: "{address2}" },
    explanation: "{one} had {address2}, the address of {two}, on its own lo, " +
      "and so took for itself what was for {two}. A ping was answered, by the " +
      "wrong machine: an answer does not say who gave it.",
  },
  {
    id: "untracked",
    title: "the pods of {one} hear nothing from the world outside",
    difficulty,
    layers: ["NAT"],
    story:
      "{one}/shell gets no answer from outside. The masquerade of {one} is " +
      "there, packets do leave, and answers do come back to the node.",
    goal: "Pods of {one} get their answers from outside.",
    to: "outside",
    hints: [{
      says: "Trace it, and read the addresses on the way out and on the way " +
        "back.",
      look: "trace",
    }, {
      says:
        "An answer is translated back by what the kernel remembers of its " +
        "connection. What could keep it from remembering? There are more tables " +
        "than filter and nat.",
      look: { on: "{one}", run: "iptables-save" },
    }],
    faults: [{
      on: "{one}",
      run: "iptables -w -t raw -A PREROUTING -s {pods1} -j CT --notrack",
    }],
    repairs: [{
      on: "{one}",
      run: "iptables -w -t raw -D PREROUTING -s {pods1} -j CT --notrack",
    }],
    shownBy: { tool: "trace", says: "notrack" },
    explanation:
      "A rule in the table raw of {one} kept what its pods send from " +
      "being tracked, and what is not tracked is not masqueraded: nat is part " +
      "of connection tracking. `iptables -S` shows one table of five.",
  },
  {
    id: "isolated-ports",
    title: "neighbours on {two} do not know each other",
    difficulty,
    layers: ["bridge"],
    story:
      "Both pods of {two} reach every other node and every pod elsewhere, " +
      "and are reached from there. Each other they do not reach.",
    goal: "{two}/shell and {two}/web reach each other.",
    from: "{two}/shell",
    to: "{two}/web",
    hints: [{
      says: "Trace it. Their bridge has the frame; does it pass it on?",
      look: "trace",
    }, {
      says:
        "A port of a bridge has flags of its own, which ip link shows only " +
        "if asked for details.",
      look: { on: "{two}", run: "bridge -d link" },
    }],
    faults: [{
      on: "{two}",
      run: "for pod in web shell; do " +
        'bridge link set dev "$(veth $pod)" isolated on; done',
    }],
    repairs: [{
      on: "{two}",
      run: "for pod in web shell; do " +
        'bridge link set dev "$(veth $pod)" isolated off; done',
    }],
    shownBy: { tool: "trace", says: "isolated" },
    explanation: "Both ports were isolated: a bridge passes nothing from one " +
      "such port to another (bridge(8)), and no chain of iptables sees it. One " +
      "of the two set back is enough for the packets, and leaves a trap.",
  },
  {
    id: "early-drop",
    title: "{two} never sees what the pods of {one} send",
    difficulty,
    layers: ["filter"],
    story:
      "The pods of {one} get no answer from {two} nor from its pods. The " +
      "node {one} does. iptables of {two} is as it was, and no counter in it " +
      "moves.",
    goal: "Pods of {one} reach {two} and its pods.",
    hints: [{
      says: "Trace it. Where is the last good hop?",
      look: "trace",
    }, {
      says:
        "iptables is one user of the kernel's filter. Which others are there?",
      look: { on: "{two}", run: "nft list tables" },
    }],
    faults: [{
      on: "{two}",
      run: "nft add table netdev early; nft add chain netdev early in " +
        "'{ type filter hook ingress device {uplink} priority 0; }'; " +
        "nft add rule netdev early in ip saddr {pods1} drop",
    }],
    repairs: [{ on: "{two}", run: "nft delete table netdev early" }],
    shownBy: { tool: "trace", says: "netdev early in" },
    explanation:
      "A table of nftables of the family netdev dropped what came in " +
      "by {uplink} of {two} from {pods1}, ahead of connection tracking and of " +
      "everything that iptables shows. `nft list ruleset` shows it.",
  },
  {
    id: "deaf-neighbours",
    title: "{two} stops talking to its pods after a while",
    difficulty,
    layers: ["ARP"],
    story: "It began some time after a firewall was tried on {two}: its pods " +
      "reach each other, and nobody else reaches them. No rule of it mentions " +
      "any address.",
    goal: "Everybody reaches the pods of {two} again.",
    hints: [{
      says:
        "Trace it. What happens to the packet on {two}, just before its pod?",
      look: "trace",
    }, {
      says: "Before a packet goes to a pod, the node asks for its link-layer " +
        "address. Does it get an answer?",
      look: { on: "{two}", run: "ip neigh show dev {bridge}" },
    }],
    faults: [{
      on: "{two}",
      run: "nft add table arp quiet; nft add chain arp quiet in " +
        "'{ type filter hook input priority 0; policy drop; }'; " +
        "ip neigh flush all",
    }],
    repairs: [{ on: "{two}", run: "nft delete table arp quiet" }],
    shownBy: { tool: "trace", says: "arp quiet in" },
    explanation:
      "A chain of nftables of the family arp dropped every answer to " +
      "ARP on {two}. As long as the kernel remembered its neighbours, all was " +
      "well. Permanent neighbour entries would have hidden it.",
  },
  {
    id: "no-solicitations",
    title: "IPv6 to {two} ends, and IPv4 does not",
    difficulty,
    layers: ["ND"],
    story:
      "Since ping was forbidden on {two}, for safety's sake, nobody gets " +
      "an answer of it or of its pods by IPv6, after a while at the latest. " +
      "By IPv4 everything works, and no web request was forbidden.",
    goal: "{two} and its pods are reached by IPv6.",
    family: 6,
    hints: [{
      says: "Trace it by IPv6. What does {two} not find out about its pod?",
      look: "trace",
    }, {
      says: "IPv6 has no ARP. By what does a machine ask for a neighbour's " +
        "link-layer address, and is it let in?",
      look: { on: "{two}", run: "ip6tables -v -S INPUT" },
    }],
    faults: [{
      on: "{two}",
      run: "ip6tables -w -I INPUT -p ipv6-icmp -j DROP; ip -6 neigh flush all",
    }],
    repairs: [{
      on: "{two}",
      run: "ip6tables -w -D INPUT -p ipv6-icmp -j DROP",
    }],
    shownBy: {
      tool: "trace",
      says: "nobody answers neighbour discovery",
    },
    explanation: "A rule in INPUT of {two} dropped all of ICMPv6, as people " +
      "drop ICMP. But neighbour discovery is ICMPv6 (RFC 4861): without it no " +
      "machine finds {two}, nor {two} its pods. RFC 4890 tells what must pass. " +
      "Permanent neighbour entries would have hidden it.",
  },
  {
    id: "blocked-policy",
    title: "pods of {one} and pods of {two}: one way only",
    difficulty,
    layers: ["policy routing"],
    story: "{one}/shell does not reach {two}/web. No rule drops its packets, " +
      "every way is right, and the node {one} gets its page.",
    goal: "Pods of {one} reach pods of {two}.",
    hints: [{
      says: "Trace it. At which point of {two} is its way over?",
      look: "trace",
    }, {
      says:
        "When a way is chosen, one more thing of the kernel has a say, which " +
        "neither ip rule nor nft shows.",
      look: { on: "{two}", run: "ip xfrm policy" },
    }],
    faults: [{
      on: "{two}",
      run: "ip xfrm policy add src {pods1} dst {pods2} dir fwd action block",
    }],
    repairs: [{
      on: "{two}",
      run: "ip xfrm policy del src {pods1} dst {pods2} dir fwd",
    }],
    shownBy: { tool: "trace", says: "IPsec policy" },
    explanation:
      "An IPsec policy of {two} blocked what it should forward from " +
      "{pods1} to {pods2}. Such policies stay when the program that made them " +
      "has gone.",
  },
  {
    id: "nobodys-address",
    title: "the pods of {one} send, and hear no answer",
    difficulty,
    layers: ["NAT"],
    story: "What the pods of {one} send arrives at {two}/web, and the answer " +
      "never comes back. The other way round all is well.",
    goal:
      "Pods of {one} get their answers, and are seen by their own addresses.",
    hints: [{
      says:
        "Trace it. Under which source does the request arrive, and to whom " +
        "does the answer go?",
      look: "trace",
    }, {
      says: "What comes first in the chain decides, and ours is not the first.",
      look: { on: "{one}", run: "iptables -t nat -S POSTROUTING" },
    }],
    faults: [{
      on: "{one}",
      run: "iptables -w -t nat -I POSTROUTING -s {pods1} -o {uplink} " +
        "-j SNAT --to-source {nobody}",
    }],
    repairs: [{
      on: "{one}",
      run: "iptables -w -t nat -D POSTROUTING -s {pods1} -o {uplink} " +
        "-j SNAT --to-source {nobody}",
    }],
    shownBy: { tool: "trace", says: "{nobody}" },
    explanation:
      "A rule ahead of the masquerade gave all that left {one} the " +
      "source {nobody}, which no machine has. To give that address to {one} " +
      "would bring the answers back, and still hide the pods.",
  },
];
