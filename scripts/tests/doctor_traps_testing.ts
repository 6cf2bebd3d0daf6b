/** The known traps, each as a shell makes it on a node of a lab: for the doctor's test. */

/** A trap, and what the doctor has to say of it. */
export interface Trap {
  readonly name: string;
  /** The check that finds it. */
  readonly check: string;
  readonly is: "fault" | "warning";
  /** The node on which it is made. */
  readonly on: string;
  /** The node of which it is told, where that is another. */
  readonly told?: string;
  /** Lines for a shell. */
  readonly make: string;
  /** Part of what is said. */
  readonly says: string;
  /** Part of its evidence. */
  readonly shows: string;
  /** Lines that take it away where no plain command is advised. */
  readonly byHand?: string;
  /** What takes away what the trap was made of, once it is mended. */
  readonly after?: string;
}

/** The plugin's own configuration on worker-1, as a runtime hands it over. */
const plugin = `{"cniVersion":"1.0.0","name":"deno-cni","type":"deno-cni",` +
  `"network":"10.244.0.0/16","subnet":"10.244.1.0/24","bridge":"cni0"}`;

/** Programs of a test's own ahead of the machine's. */
const standIn = (name: string, script: string) =>
  `mountpoint -q /usr/local/sbin || mount -t tmpfs tmpfs /usr/local/sbin
cat >/usr/local/sbin/${name} <<'END'
#!/bin/sh
${script}
END
chmod +x /usr/local/sbin/${name}`;

const leases = "/run/deno-cni/networks/deno-cni";

export const traps: readonly Trap[] = [
  {
    name: "forwarding off",
    check: "ip-forward",
    is: "fault",
    on: "worker-1",
    make: "sysctl -qw net.ipv4.ip_forward=0",
    says: "net.ipv4.ip_forward is off",
    shows: "0",
  },
  {
    name: "bridged frames past iptables",
    check: "bridge-nf",
    is: "fault",
    on: "worker-1",
    make: "sysctl -qw net.bridge.bridge-nf-call-iptables=0",
    says: "net.bridge.bridge-nf-call-iptables is off",
    shows: "0",
  },
  {
    name: "FORWARD at DROP without our rules",
    check: "forward-chain",
    is: "fault",
    on: "worker-1",
    make: "iptables -w -F FORWARD",
    says: "the chain FORWARD is at DROP",
    shows: "-P FORWARD DROP",
  },
  {
    name: "a rule that drops ahead of ours",
    check: "forward-chain",
    is: "fault",
    on: "worker-1",
    make: "iptables -w -I FORWARD -d 10.244.1.0/24 -j DROP",
    says: "a rule of worker-1 that is not this tool's says DROP in FORWARD, to",
    shows: "-A FORWARD -d 10.244.1.0/24 -j DROP",
  },
  {
    name: "no masquerade",
    check: "masquerade",
    is: "fault",
    on: "worker-2",
    make: "iptables -w -t nat -F POSTROUTING",
    says: "not masqueraded",
    shows: "-P POSTROUTING ACCEPT",
  },
  {
    name: "masquerade between pods, as the rule that circulates has it",
    check: "masquerade",
    is: "fault",
    on: "worker-1",
    make:
      "iptables -w -t nat -I POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
    says: "rewrites what pods send to pods",
    shows: "-A POSTROUTING -s 10.244.1.0/24 ! -o cni0 -j MASQUERADE",
  },
  {
    name: "another table of nftables that drops by its policy",
    check: "nftables",
    is: "fault",
    on: "worker-1",
    make: "nft add table inet fw; nft add chain inet fw forward " +
      "'{ type filter hook forward priority 10; policy drop; }'",
    says: "inet fw forward of nftables drops",
    shows: "policy drop",
    after: "nft delete table inet fw",
  },
  {
    name: "another table of nftables with a rule that rejects",
    check: "nftables",
    is: "warning",
    on: "worker-1",
    make: "nft add table ip fw; nft add chain ip fw forward " +
      "'{ type filter hook forward priority 10; }'; " +
      "nft add rule ip fw forward tcp dport 81 reject",
    says: "ip fw forward of nftables has rules that drop",
    shows: "reject",
    after: "nft delete table ip fw",
  },
  {
    name: "the legacy iptables at DROP",
    check: "both-iptables",
    is: "fault",
    on: "worker-1",
    make: "iptables-legacy -w -P FORWARD DROP",
    says: "iptables-legacy is in use",
    shows: "-P FORWARD DROP",
  },
  {
    name: "rules in the legacy iptables",
    check: "both-iptables",
    is: "warning",
    on: "worker-1",
    make: "iptables-legacy -w -A INPUT -s 192.0.2.9 -j DROP",
    says: "iptables-legacy has rules",
    shows: "-A INPUT -s 192.0.2.9/32 -j DROP",
  },
  {
    name: "firewalld, which a stand-in for firewall-cmd says is running",
    check: "firewall-services",
    is: "warning",
    on: "worker-1",
    make: standIn(
      "firewall-cmd",
      `case $* in
--state) echo running ;;
*--list-sources) cat /run/trusted 2>/dev/null ;;
*--add-source=*) echo "$*" | sed 's/.*--add-source=//' >>/run/trusted ;;
esac`,
    ),
    says: "firewalld is running",
    shows: "running",
    after: "rm /usr/local/sbin/firewall-cmd",
  },
  {
    name: "ufw, which a stand-in for it says is active",
    check: "firewall-services",
    is: "warning",
    on: "worker-1",
    make: standIn(
      "ufw",
      `case $* in
status) echo "Status: active"; echo; cat /run/routes 2>/dev/null ;;
"route allow from "*) echo "Anywhere    ALLOW FWD    $4" >>/run/routes ;;
"route allow to "*) echo "$4    ALLOW FWD    Anywhere" >>/run/routes ;;
esac`,
    ),
    says: "ufw is active",
    shows: "Status: active",
    after: "rm /usr/local/sbin/ufw",
  },
  {
    name: "a foreign address on the bridge",
    check: "bridge",
    is: "fault",
    on: "worker-1",
    make: "ip addr add 10.9.9.1/24 dev cni0",
    says: "cni0 has the address 10.9.9.1/24",
    shows: "10.9.9.1/24",
  },
  {
    name: "the bridge on another subnet than the podCIDR",
    check: "bridge",
    is: "fault",
    on: "master",
    make:
      "ip addr del 10.244.0.1/24 dev cni0; ip addr add 10.244.7.1/24 dev cni0",
    says: "cni0 has the address 10.244.7.1/24",
    shows: "10.244.7.1/24",
  },
  {
    name: "a bridge without our mark",
    check: "bridge",
    is: "fault",
    on: "master",
    make: "ip link set cni0 alias docker",
    says: "a bridge without our mark",
    shows: "alias docker",
  },
  {
    name: "a bridge that is down",
    check: "bridge",
    is: "fault",
    on: "master",
    make: "ip link set cni0 down",
    says: "cni0 is down",
    shows: "state DOWN",
  },
  {
    name: "no bridge",
    check: "bridge",
    is: "fault",
    on: "master",
    make: "ip link del cni0",
    says: "there is no bridge cni0",
    shows: "does not exist",
  },
  {
    name: "pods that send more than the link to the others takes",
    check: "mtu",
    is: "fault",
    on: "worker-1",
    make: "ip link set dev eth0 mtu 1400",
    says: "2 pods send packets of up to 1500 bytes, and eth0 takes 1400",
    shows: "mtu 1400",
  },
  {
    name: "a link that takes less than the others'",
    check: "mtu",
    is: "warning",
    on: "master",
    make: "ip link set dev eth0 mtu 1400",
    says: "eth0 takes 1400 bytes, another node's link 1500",
    shows: "mtu 1400",
  },
  {
    name: "a strict reverse path filter and two ways",
    check: "rp-filter",
    is: "warning",
    on: "worker-1",
    make: "ip link add eth1 type veth peer name eth1p; " +
      "ip addr add 192.0.2.1/24 dev eth1; ip link set eth1 up; " +
      "sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=0",
    says: "strict on eth0",
    shows: "/proc/sys/net/ipv4/conf/all/rp_filter:1",
    after: "ip link del eth1",
  },
  {
    name: "no route to another node's pods",
    check: "routes",
    is: "fault",
    on: "worker-1",
    make: "ip route del 10.244.2.0/24",
    says: "no route to the pods of worker-2",
    shows: "nothing",
  },
  {
    name: "a route that goes elsewhere",
    check: "routes",
    is: "fault",
    on: "worker-1",
    make: "ip route replace 10.244.2.0/24 via 10.0.1.1",
    says: "does not go through it",
    shows: "10.244.2.0/24 via 10.0.1.1",
  },
  {
    name: "another bridge's network within the pod network",
    check: "overlap",
    is: "warning",
    on: "worker-1",
    make: "ip link add docker0 type bridge; " +
      "ip addr add 10.244.99.1/24 dev docker0; ip link set docker0 up",
    says: "10.244.99.0/24 lies in the pod network",
    shows: "10.244.99.0/24 dev docker0 proto kernel",
    after: "ip link del docker0",
  },
  {
    name: "a route that takes pods' packets away",
    check: "overlap",
    is: "fault",
    on: "worker-1",
    make: "ip route add 10.244.2.128/25 via 10.0.1.1",
    says: "10.244.2.128/25 takes what is for pods of worker-2",
    shows: "10.244.2.128/25 via 10.0.1.1",
  },
  {
    name: "an address held twice",
    check: "twins",
    is: "fault",
    on: "worker-1",
    told: "worker-2",
    make: "ip addr add 10.0.1.12/32 dev lo",
    says: "10.0.1.12 is also held by worker-1 (lo)",
    shows: "10.0.1.12",
  },
  {
    name: "another configuration that sorts first",
    check: "configuration",
    is: "fault",
    on: "worker-1",
    make: `echo '{"name":"x","cniVersion":"1.0.0","plugins":` +
      `[{"type":"flannel"}]}' >/etc/cni/net.d/05-flannel.conflist`,
    says: "05-flannel.conflist sorts first",
    shows: "flannel",
  },
  {
    name: "a configuration that is none",
    check: "configuration",
    is: "fault",
    on: "worker-1",
    make: "echo '{' >/etc/cni/net.d/10-deno-cni.conflist",
    says: "is no network configuration",
    shows: "{",
  },
  {
    name: "another node's podCIDR in the configuration",
    check: "configuration",
    is: "fault",
    on: "worker-1",
    make: "sed -i s,10.244.1.0,10.244.2.0, /etc/cni/net.d/10-deno-cni.conflist",
    says: "the podCIDR of worker-2: two pods get one address",
    shows: "10.244.2.0/24",
  },
  {
    name: "no program of the plugin",
    check: "programs",
    is: "fault",
    on: "worker-2",
    make: "rm /opt/cni/bin/deno-cni",
    says: "no program /opt/cni/bin/deno-cni",
    shows: "nothing",
  },
  {
    name:
      "a full table of connections, as a file laid over the kernel's count says",
    check: "kernel-tables",
    is: "fault",
    on: "worker-1",
    make: "cat /proc/sys/net/netfilter/nf_conntrack_max >/run/full; " +
      "mount --bind /run/full /proc/sys/net/netfilter/nf_conntrack_count",
    says: "new ones are dropped",
    shows: "nf_conntrack_count",
    // The limit is the machine's own, which no node of a lab may raise.
    byHand: "umount /proc/sys/net/netfilter/nf_conntrack_count",
  },
  {
    name: "a clock that a stand-in for date puts back",
    check: "clock",
    is: "warning",
    on: "worker-1",
    make: standIn("date", `echo $(($(/bin/date +%s) - 600))`),
    says: "behind the operator's",
    shows: "1",
    byHand: "rm /usr/local/sbin/date",
  },
  {
    name: "a pod that ended without a DEL",
    check: "leaked-leases",
    is: "warning",
    on: "worker-1",
    make: "ip netns add leak; export CNI_COMMAND=ADD CNI_CONTAINERID=leak " +
      "CNI_NETNS=/run/netns/leak CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin; " +
      `echo '${plugin}' | /opt/cni/bin/deno-cni; ip netns del leak; ` +
      "until ! ip -d link | grep -q 'deno-cni leak'; do sleep 0.05; done",
    says: "1 lease without a pod",
    shows: "leak",
  },
  {
    name: "a lease whose writer died",
    check: "broken-leases",
    is: "warning",
    on: "worker-1",
    make: `: >${leases}/10.244.1.77`,
    says: "1 lease without an attachment's name",
    shows: "nothing",
  },
  {
    name: "no addresses left",
    check: "addresses-left",
    is: "fault",
    on: "worker-1",
    make: "i=1; while [ $((i += 1)) -lt 255 ]; do " +
      `[ -e ${leases}/10.244.1.$i ] || ` +
      `printf "gone$i\\r\\neth0" >${leases}/10.244.1.$i; done`,
    says: "253 of 253 addresses of 10.244.1.0/24 are taken",
    shows: "253",
    byHand: `rm $(grep -l ^gone ${leases}/10.*)`,
  },
  {
    name: "a plugin that is there and does not run",
    check: "plugin-runs",
    is: "fault",
    on: "worker-1",
    make: "rm /opt/cni/bin/deno-cni; " +
      "printf '#!/nowhere/sh\\n' >/opt/cni/bin/deno-cni; " +
      "chmod 755 /opt/cni/bin/deno-cni",
    says: "is there and does not run",
    shows: "not found",
  },
  {
    name: "a pod that makes itself the node's router",
    check: "taken-from-pods",
    is: "warning",
    on: "worker-1",
    make: "sysctl -qw net.ipv6.conf.cni0.accept_ra=2",
    says: "net.ipv6.conf.cni0.accept_ra is on",
    shows: "accept_ra:2",
  },
  {
    name: "a veth that is nobody's on the bridge",
    check: "leftover-veths",
    is: "warning",
    on: "worker-1",
    make: "ip link add left type veth peer name left-peer; " +
      "ip link set left master cni0",
    says: "whose other end is on the node itself",
    shows: "master cni0",
  },
  {
    name: "a pod without a lease",
    check: "unleased-pods",
    is: "warning",
    on: "worker-2",
    make: `rm $(grep -l web ${leases}/10.*)`,
    says: "the pod web has no lease",
    shows: "09-verify-web",
  },
  {
    name: "a journal that is damaged",
    check: "journal",
    is: "fault",
    on: "worker-1",
    make: "echo nonsense >/var/lib/deno-cni/journal",
    says: "its journal is damaged",
    shows: "nonsense",
  },
  {
    name: "a full disk",
    check: "disk",
    is: "fault",
    on: "master",
    make: "mkdir -p /run/deno-cni/networks; " +
      "mount -t tmpfs -o size=64k tmpfs /run/deno-cni/networks; " +
      "head -c 64k /dev/zero >/run/deno-cni/networks/full",
    says: "/run/deno-cni/networks has no blocks left",
    shows: "100% /run/deno-cni/networks",
    byHand: "umount /run/deno-cni/networks",
  },
];
