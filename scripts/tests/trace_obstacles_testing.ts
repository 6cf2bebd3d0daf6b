/** What ends packets on the kernel's path beside iptables' FORWARD, each as a shell makes it. */

/** An obstacle, and what trace, doctor and stage 09 have to say of it. */
export interface LabObstacle {
  readonly name: string;
  readonly on: string;
  /** A line for a shell; `$web` and `$shell` are the host veths of worker-2's pods. */
  readonly make: string;
  /** Part of what all three say. */
  readonly says: string;
  /** Part of the evidence. */
  readonly shows: string;
  /** The trace's sender to worker-2/web; worker-1/shell if not given. */
  readonly from?: string;
  /** The doctor's word for it. */
  readonly is: "fault" | "warning";
}

/**
 * An object for the BPF loader, gzipped: a section "xdp" that returns 1
 * (XDP_DROP) and a section "tc" that returns 2 (TC_ACT_SHOT). Made by
 * `llvm-mc -triple bpfel -filetype=obj`.
 */
const bpf = "H4sIAAAAAAACA6t39XFjYmRkgAFGhu8MCB4CPEBiO0BJdqDK7WA9DAxToXIgPhMS" +
  "3z3AhwEf4AFiIQZmOF8ASrODxVkwxBn0SlIrShiKM/JLGFKK8gsYKlIKGHIyk1Pz" +
  "ilMZSpIZ9IpLikoSk4B0ZS6IphQoADEzFvENUNoATZwRCx+E2dDEHXDYx4LGFySg" +
  "X4CA/bI49AcQqV8UKoYeBgk43IuuXwOaHtBBBpT2QAsnDihfAhpzAGC/7tygAgAA";

const object = `echo ${bpf} | base64 -d | gunzip >/run/drop.o; ` +
  "mkdir -p /run/bpf; export TC_BPF_MNT=/run/bpf; " +
  "mountpoint -q /run/bpf || mount -t bpf bpf /run/bpf";

/** Such a chain as a firewall of its own would make it. */
const nft = (family: string, hook: string, rule = "") =>
  `nft add table ${family} fw; nft add chain ${family} fw c ` +
  `'{ type filter hook ${hook} priority 0; policy ${
    rule === "" ? "drop" : "accept"
  }; }'` + (rule === "" ? "" : `; nft add rule ${family} fw c ${rule}`);

export const labObstacles: readonly LabObstacle[] = [
  {
    name: "an XDP program on the receiver's node",
    on: "worker-2",
    make: `${object}; ip link set dev eth0 xdpgeneric obj /run/drop.o sec xdp`,
    says: "an XDP program (drop) is on eth0 of worker-2",
    shows: "prog/xdp",
    is: "warning",
  },
  {
    name: "a program of tc on what comes in",
    on: "worker-2",
    make: `${object}; tc qdisc add dev eth0 clsact; ` +
      "tc filter add dev eth0 ingress bpf da obj /run/drop.o sec tc",
    says: "tc has a program (shot) on what comes in by eth0 of worker-2",
    shows: "bpf",
    is: "warning",
  },
  {
    name: "nftables of the family netdev",
    on: "worker-2",
    make: nft("netdev", "ingress device eth0", "ip saddr 10.244.1.0/24 drop"),
    says: "a rule of the chain netdev fw c of nftables on worker-2 drops",
    shows: "ip saddr 10.244.1.0/24 drop",
    is: "fault",
  },
  {
    name: "nftables of the family bridge",
    on: "worker-2",
    make: nft("bridge", "output", "ip daddr 10.244.2.0/24 drop"),
    says: "a rule of the chain bridge fw c of nftables on worker-2 drops",
    shows: "ip daddr 10.244.2.0/24 drop",
    is: "fault",
  },
  {
    name: "an IPsec policy that blocks",
    on: "worker-2",
    make: "ip xfrm policy add src 10.244.1.0/24 dst 10.244.2.0/24 dir fwd " +
      "action block",
    says: "an IPsec policy (fwd) of worker-2 blocks what goes from " +
      "10.244.1.0/24",
    shows: "action block",
    is: "fault",
  },
  {
    name: "two ports of a bridge that are isolated",
    on: "worker-2",
    make: "bridge link set dev $web isolated on; " +
      "bridge link set dev $shell isolated on",
    from: "worker-2/shell",
    says: "is isolated",
    shows: "isolated on",
    is: "fault",
  },
  {
    name: "a rule in the table raw",
    on: "worker-2",
    make: "iptables -w -t raw -A PREROUTING -s 10.244.1.0/24 -j DROP",
    says: "PREROUTING in the table raw of iptables on worker-2 says DROP",
    shows: "-A PREROUTING -s 10.244.1.0/24 -j DROP",
    is: "fault",
  },
  {
    name: "a pod that may send nothing",
    on: "worker-2",
    make: "nsenter --net=/run/netns/web iptables -w -P OUTPUT DROP",
    says: "OUTPUT in the table filter of iptables on web on worker-2 says DROP",
    shows: "-P OUTPUT DROP",
    is: "fault",
  },
  {
    name: "a pod that may send nothing",
    on: "worker-2",
    make: "nsenter --net=/run/netns/web iptables -w -P OUTPUT DROP",
    says: "OUTPUT in the table filter of iptables on web on worker-2 says DROP",
    shows: "-P OUTPUT DROP",
    is: "fault",
  },
  {
    name: "a neighbour that was written down wrong",
    on: "worker-1",
    make: "ip neigh replace 10.0.1.12 lladdr 02:00:00:00:00:99 dev eth0 " +
      "nud permanent",
    says: "02:00:00:00:00:99",
    shows: "02:00:00:00:00:99",
    is: "fault",
  },
  {
    name: "no ARP on a link",
    on: "worker-2",
    make: "ip link set dev eth0 arp off",
    says: "ARP is off on eth0 of worker-2",
    shows: "NOARP",
    is: "fault",
  },
];
