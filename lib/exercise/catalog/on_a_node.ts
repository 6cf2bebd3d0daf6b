/** Step 2: something that no stage made stands in the way on a node, and has to go. */
import type { ExerciseData } from "../exercise.ts";

const difficulty = 2;

/** Those of step 2 on the nodes. */
export const nodeExercises: readonly ExerciseData[] = [
  {
    id: "pages-dropped",
    title: "{two}/web answers pings and serves no page",
    difficulty,
    layers: ["filter"],
    story:
      "A ping from {one}/shell to {two}/web comes back at once, and a web " +
      "request never does. {two}/shell, the neighbour, has the same trouble; " +
      "the node {two} itself gets its page.",
    goal: "Every pod gets the page of {two}/web.",
    hints: [{
      says: "Trace it: which of the three packets is lost, and where?",
      look: "trace",
    }, {
      says:
        "The first thing in a chain that fits a packet decides. What comes " +
        "first on {two}?",
      look: { on: "{two}", run: "iptables -v -S FORWARD" },
    }],
    faults: [{
      on: "{two}",
      run: "iptables -w -I FORWARD -d {pods2} -p tcp --dport 80 -j DROP",
    }],
    repairs: [{
      on: "{two}",
      run: "iptables -w -D FORWARD -d {pods2} -p tcp --dport 80 -j DROP",
    }],
    shownBy: { tool: "trace", says: "DROP" },
    explanation: "A rule in FORWARD of {two}, ahead of ours, dropped TCP to " +
      "port 80 of its pods. A ping is no TCP, and what the node sends itself " +
      "never passes FORWARD. An ACCEPT ahead of it would only have hidden it.",
  },
  {
    id: "narrower-route",
    title: "pods of {one} lose some pods of {two}",
    difficulty,
    layers: ["route"],
    story: "{one}/shell does not reach {two}/web. {one} is sure that its way " +
      "to {two} is as it always was, and stage 08 agrees: it finds nothing to " +
      "do.",
    goal: "Pods of {one} reach all pods of {two}.",
    hints: [{
      says: "Trace it. By which way did {one} send the packet?",
      look: "trace",
    }, {
      says:
        "Of all ways that fit an address, a kernel takes the one with the " +
        "longest prefix. How many does {one} have that fit?",
      look: { on: "{one}", run: "ip route show match {gateway2}" },
    }],
    faults: [{ on: "{one}", run: "ip route add {part2} via {outside}" }],
    repairs: [{ on: "{one}", run: "ip route del {part2} via {outside}" }],
    shownBy: { tool: "trace", says: "{part2}" },
    explanation:
      "Beside the route to {pods2} stood one to {part2}, a part of " +
      "it, by another machine. The longer prefix wins, whatever else is there. " +
      "Routes to single pods would have beaten it too, and left it there.",
  },
  {
    id: "second-opinion",
    title: "{one} gets to {two}, and its pods do not",
    difficulty,
    layers: ["policy routing"],
    story: "On {one}, ip route shows the right way to the pods of {two}, and " +
      "the node itself reaches them. Its pods do not.",
    goal: "Pods of {one} reach the pods of {two}.",
    hints: [{
      says:
        "Trace it. What does the kernel of {one} say when it chooses the way?",
      look: "trace",
    }, {
      says: "A kernel has many tables, and a list of what is looked up in " +
        "which. The node's own packets and its pods' differ in their source.",
      look: { on: "{one}", run: "ip rule" },
    }],
    faults: [{
      on: "{one}",
      run: "ip rule add from {pods1} lookup 100; " +
        "ip route add blackhole {pods2} table 100",
    }],
    repairs: [{
      on: "{one}",
      run: "ip rule del from {pods1} lookup 100; " +
        "ip route del blackhole {pods2} table 100",
    }],
    shownBy: { tool: "trace", says: "lookup 100" },
    explanation: "A rule of policy routing sent what comes from {pods1} to " +
      "table 100, and there {pods2} was a blackhole. `ip route` shows the main " +
      "table alone; `ip rule` and `ip route show table all` show the rest.",
  },
  {
    id: "wrong-door",
    title: "calls of {two}/web from {one} end up elsewhere",
    difficulty,
    layers: ["NAT"],
    story:
      "Pings from {one}/shell to {two}/web are answered. Web requests are " +
      "not. Those from {two}/shell are.",
    goal: "A web request goes where it was sent.",
    hints: [{
      says: "Trace it, and read the addresses on the right: does the request " +
        "keep its destination?",
      look: "trace",
    }, {
      says:
        "What changes a destination has to do so before the way is chosen. " +
        "Which chain of {one} is that?",
      look: { on: "{one}", run: "iptables -t nat -S PREROUTING" },
    }],
    faults: [{
      on: "{one}",
      run: "iptables -w -t nat -A PREROUTING -d {pods2} -p tcp --dport 80 " +
        "-j DNAT --to-destination {nobody2}",
    }],
    repairs: [{
      on: "{one}",
      run: "iptables -w -t nat -D PREROUTING -d {pods2} -p tcp --dport 80 " +
        "-j DNAT --to-destination {nobody2}",
    }],
    shownBy: { tool: "trace", says: "{nobody2}" },
    explanation:
      "A rule in nat PREROUTING of {one} gave web requests for the " +
      "pods of {two} the destination {nobody2}, which no pod has. It is how " +
      "kube-proxy makes Services, put in the wrong place.",
  },
  {
    id: "stale-neighbour",
    title: "{one} no longer reaches {two} at all",
    difficulty,
    layers: ["ARP"],
    story: "{two} got a new network card, people say, and since then neither " +
      "{one} nor its pods get an answer from it. {three} has no such trouble.",
    goal: "{one} and its pods reach {two} and its pods.",
    hints: [{
      says: "Trace it. Does the packet leave {one}? Does it arrive anywhere?",
      look: "trace",
    }, {
      says: "On a segment, a packet goes to a link-layer address. Which one " +
        "does {one} take for {address2}, and since when?",
      look: { on: "{one}", run: "ip neigh show {address2}" },
    }],
    faults: [{
      on: "{one}",
      run:
        "ip neigh replace {address2} lladdr 02:00:00:00:00:99 dev {uplink} " +
        "nud permanent",
    }],
    repairs: [{ on: "{one}", run: "ip neigh del {address2} dev {uplink}" }],
    shownBy: { tool: "trace", says: "02:00:00:00:00:99" },
    explanation:
      "{one} had a permanent neighbour entry for {address2} with a " +
      "link-layer address that no machine has. What is permanent is never " +
      "asked for again. A permanent entry with the right address would be the " +
      "same trap, set for the next network card.",
  },
  {
    id: "no-address-left",
    title: "no new pod starts on {two}",
    difficulty,
    layers: ["leases"],
    story:
      "The pods that run on {two} are well. But for an hour no new one has " +
      "started there, though there are two only.",
    goal: "A new pod on {two} starts.",
    hints: [{
      says: "Start one, and read what the plugin says; or ask the doctor.",
      look: "doctor",
    }, {
      says:
        "The plugin keeps a file for each address that it gave away. Count " +
        "them, and see whose they are.",
      look: {
        on: "{two}",
        run: "sh -c 'head -qn1 /run/deno-cni/networks/deno-cni/1* | sort | " +
          "uniq -c | head'",
      },
    }],
    faults: [{
      on: "{two}",
      run: "cd /run/deno-cni/networks/deno-cni; i=1; while [ $((i += 1)) -lt " +
        '255 ]; do [ -e {prefix2}.$i ] || printf "gone-$i\\r\\neth0" ' +
        ">{prefix2}.$i; done",
    }],
    trials: [{
      says: "a new pod does not start on {two}",
      on: "{two}",
      run: "true",
      inNewPod: true,
    }],
    repairs: [{
      on: "{two}",
      run: "sh -c 'cd /run/deno-cni/networks/deno-cni && grep -l ^gone- 1* | " +
        "xargs -r rm'",
    }],
    shownBy: { tool: "doctor", says: "addresses of {pods2} are taken" },
    explanation: "All addresses of {pods2} had leases, nearly all of them of " +
      "pods that had ended without a DEL: a runtime that crashes leaves such. " +
      "A runtime that asks for GC cleans them up. A bigger podCIDR would only " +
      "have put it off.",
  },
  {
    id: "other-plugin",
    title: "no pod starts on {one} any more",
    difficulty,
    layers: ["plugin configuration"],
    story: "Somebody tried another network on {one}, and took it away again. " +
      "Since then no pod starts there. Everything that our stages made is in " +
      "place: they find nothing to do.",
    goal: "A new pod on {one} starts, and reaches the other nodes.",
    hints: [{
      says: "Start a pod, and read which plugin is missed; or ask the doctor.",
      look: "doctor",
    }, {
      says:
        "A runtime takes one of the configurations that it finds. Which one?",
      look: { on: "{one}", run: "ls /etc/cni/net.d" },
    }],
    faults: [{
      on: "{one}",
      run: `echo '{"cniVersion":"1.0.0","name":"flannel","plugins":` +
        `[{"type":"flannel"}]}' >/etc/cni/net.d/05-flannel.conflist`,
    }],
    trials: [{
      says: "a new pod does not start on {one}",
      on: "{one}",
      run: "true",
      inNewPod: true,
    }],
    repairs: [{ on: "{one}", run: "rm /etc/cni/net.d/05-flannel.conflist" }],
    shownBy: { tool: "doctor", says: "05-flannel.conflist sorts first" },
    explanation:
      "A runtime takes the configuration that sorts first: that was " +
      "05-flannel.conflist, and there is no plugin of that name. A copy of ours " +
      "under a name that sorts still earlier would have worked, and hidden it.",
  },
];
