/** Step 3: some of it works, and a ping or iptables alone does not show what does not. */
import type { ExerciseData } from "../exercise.ts";

const difficulty = 3;

/** The largest ping that an Ethernet frame takes, not to be cut. */
const bigPing = "ping -nc1 -W1 -M do -s 1472";

/** Those of step 3 in which packets are lost by their size, or by chance. */
export const halfWorkingExercises: readonly ExerciseData[] = [
  {
    id: "narrow-link",
    title: "{two}/web accepts connections and delivers nothing big",
    difficulty,
    layers: ["MTU"],
    story:
      "Pings and small pages between {one} and {two} are fine. Downloads " +
      "and uploads begin, and hang. Between {one} and {three} they do not.",
    goal: "Packets of 1500 bytes get from {one} to {two} and back.",
    hints: [{
      says: "Trace it: it sends a packet of 1500 bytes that may not be cut.",
      look: "trace",
    }, {
      says: "Each link on the way has a largest size. Compare those of {two} " +
        "with {one}'s.",
      look: { on: "{two}", run: "ip -br -d link" },
    }],
    faults: [{ on: "{two}", run: "ip link set dev {uplink} mtu 1400" }],
    trials: [{
      says: "a packet of 1500 bytes does not get from {one} to {two}",
      on: "{one}",
      run: `${bigPing} {address2}`,
    }],
    repairs: [{ on: "{two}", run: "ip link set dev {uplink} mtu 1500" }],
    shownBy: { tool: "trace", says: "{uplink} of {two}" },
    explanation: "{uplink} of {two} took 1400 bytes, and all others 1500: a " +
      "switch drops what is too long, without a word to the sender. A smaller " +
      "MTU on all pods would have worked, and cost every one of them.",
  },
  {
    id: "long-dropped",
    title: "small things reach {two}/web, and big ones do not",
    difficulty,
    layers: ["filter"],
    story: "As in a case of last week, big packets for the pods of {two} are " +
      "lost. But every link takes 1500 bytes; that was looked at first.",
    goal: "Packets of 1500 bytes reach {two}/web.",
    hints: [{
      says: "Trace it: where does the packet of 1500 bytes end?",
      look: "trace",
    }, {
      says:
        "No link is too narrow, so something looks at lengths. The counters " +
        "tell what was met.",
      look: { on: "{two}", run: "iptables -v -S FORWARD" },
    }],
    faults: [{
      on: "{two}",
      run: "iptables -w -I FORWARD -m length --length 1400:65535 -j DROP",
    }],
    trials: [{
      says: "a packet of 1500 bytes does not get from {one} to {two}/web",
      on: "{two}",
      run: "inside shell " + `${bigPing} {address1}`,
    }],
    repairs: [{
      on: "{two}",
      run: "iptables -w -D FORWARD -m length --length 1400:65535 -j DROP",
    }],
    shownBy: { tool: "trace", says: "packets of 1500 bytes" },
    explanation:
      "A rule in FORWARD of {two} dropped whatever was longer than " +
      "1400 bytes. It looks like a narrow link and is none: no MTU of any link " +
      "mends it, only smaller packets hide it.",
  },
  {
    id: "lossy-link",
    title: "everything about {two} is slow, and nothing is broken",
    difficulty,
    layers: ["link"],
    story: "Pages from {two}/web come, sometimes at once, sometimes after " +
      "seconds. Each test that people run passes, the second time at the latest.",
    goal: "No packet is lost between {one} and {two}.",
    hints: [{
      says: "One packet proves nothing here. Send thirty, and count.",
      look: { on: "{one}", run: "ping -nc30 -i0.01 -W1 {address2}" },
    }, {
      says: "What loses packets by chance lies on a device, or where packets " +
        "come in from one, ahead of all that iptables shows. Ask the doctor.",
      look: "doctor",
    }],
    faults: [{
      on: "{two}",
      run: "tc qdisc add dev {uplink} root netem loss 40% 2>/dev/null || { " +
        "nft add table netdev exercise && nft add chain netdev exercise loss " +
        "'{ type filter hook ingress device {uplink} priority 0; }' && " +
        "nft add rule netdev exercise loss ip saddr {address1} " +
        "numgen random mod 100 '<' 40 drop; }",
    }],
    trials: [{
      says: "of thirty pings from {one} to {two}, some are lost",
      on: "{one}",
      run: "ping -nqc30 -i0.005 -W1 {address2} | grep ' 0% packet loss'",
    }],
    repairs: [{
      on: "{two}",
      run: "sh -c 'nft delete table netdev exercise 2>/dev/null || " +
        "tc qdisc del dev {uplink} root'",
    }],
    shownBy: { tool: "doctor", says: "{two}" },
    explanation:
      "On {two} two packets of five were lost by chance: by netem on " +
      "{uplink} where the kernel has it, else by a rule of nftables where " +
      "packets come in. TCP sends again, so pages come, late.",
  },
  {
    id: "thin-link",
    title: "{two} answers quickly, and sends crawling",
    difficulty,
    layers: ["link"],
    story: "A short question to {two} has its answer at once. What is longer " +
      "than a few packets takes ages, from {two} to anybody; the other way it " +
      "does not.",
    goal: "{two} answers ten big packets in a row, and all answers arrive.",
    from: "{two}/shell",
    to: "{one}/web",
    hints: [{
      says: "Send ten big packets quickly, and count those that come back.",
      look: {
        on: "{one}",
        run: "ping -nqc10 -i0.005 -s1400 -W1 {address2}",
      },
    }, {
      says:
        "What leaves by a device waits in a queue, which may have a limit. " +
        "Which queue has the uplink of {two}, and which {one}'s?",
      look: { on: "{two}", run: "tc -s qdisc show dev {uplink}" },
    }],
    faults: [{
      on: "{two}",
      run: "tc qdisc add dev {uplink} root tbf rate 128kbit burst 3000 " +
        "latency 20ms",
    }],
    trials: [{
      says: "of ten big answers in a row from {two}, some are lost",
      on: "{one}",
      run: "ping -nqc10 -i0.005 -s1400 -W1 {address2} | grep ' 0% packet loss'",
    }],
    repairs: [{ on: "{two}", run: "tc qdisc del dev {uplink} root" }],
    shownBy: { tool: "doctor", says: "tbf on {uplink} of {two}" },
    explanation:
      "A token bucket (tbf) on {uplink} of {two} let 128 kbit leave " +
      "in a second, and dropped what had to wait longer than 20 ms. Links have " +
      "two directions, and a queue is for one of them.",
  },
  {
    id: "slow-link",
    title: "every answer of {two} takes its time",
    difficulty,
    layers: ["link"],
    story: "Nothing is lost, and big things come as whole as small ones. But " +
      "each answer of {two} and of its pods comes a third of a second late.",
    goal: "{two} answers {one} at once.",
    needs: "netem",
    hints: [{
      says: "Ping it, and look at the times. Are they all alike?",
      look: { on: "{one}", run: "ping -nc5 -i0.2 {address2}" },
    }, {
      says:
        "What leaves by a device waits in a queue, which may keep it for a " +
        "while. Which queue has the uplink of {two}, and which {one}'s?",
      look: { on: "{two}", run: "tc -s qdisc show dev {uplink}" },
    }],
    faults: [{
      on: "{two}",
      run: "tc qdisc add dev {uplink} root netem delay 300ms",
    }],
    trials: [{
      says: "{two} does not answer {one} within 150 ms",
      on: "{one}",
      run: "i=0; until ping -nqc1 -W0.15 {address2}; do " +
        "[ $((i += 1)) -lt 5 ]; done",
    }],
    repairs: [{ on: "{two}", run: "tc qdisc del dev {uplink} root" }],
    shownBy: { tool: "doctor", says: "netem on {uplink} of {two}" },
    explanation: "netem on {uplink} of {two} kept every packet for 300 ms. A " +
      "delay breaks nothing, and makes everything slow that asks many small " +
      "questions one after the other.",
  },
];
