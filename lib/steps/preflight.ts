/**
 * What a machine that exists must be like before a stage touches it: one
 * question, which changes nothing there, and all that is wrong in one answer.
 */
import type { ClusterNode } from "../cluster/cluster.ts";
import type { Firewall } from "../cluster/schema_firewall.ts";
import { cmd, type Outcome } from "../exec/command.ts";
import { unknown } from "./probes.ts";
import type { Answer, Step } from "../stage/stage.ts";

/** How far a machine's clock may be from the operator's: certificates and tokens have times. */
const clockLimit_s = 30;

/** The programs that the stages call on a node, and the Debian packages that have them. */
const programs: Readonly<Record<string, string>> = {
  ip: "iproute2",
  iptables: "iptables",
  nft: "nftables",
  sysctl: "procps",
  nsenter: "util-linux",
  unshare: "util-linux",
  sha256sum: "coreutils",
  busybox: "busybox-static",
};

/**
 * Asks for one fact a line. Features are tried in a network namespace that is
 * gone with the command: a module's name says less than what the kernel does.
 */
const survey = `
firewall=$1
shift
. /etc/os-release 2>/dev/null || :
echo "kernel $(uname -s)"
echo "architecture $(uname -m)"
echo "system \${ID:-} \${ID_LIKE:-}"
echo "system-name \${PRETTY_NAME:-}"
for program in "$@"; do
  command -v "$program" >/dev/null || echo "missing $program"
done
for program in apt-get kubeadm kubelet containerd crio; do
  ! command -v "$program" >/dev/null || echo "has $program"
done
ip -o addr 2>/dev/null | while read -r _ _ _ address _; do
  echo "address \${address%/*}"
done
try() { # FEATURE COMMAND…
  feature=$1
  shift
  said=$(unshare --net "$@" 2>&1) || echo "lacks $feature $(echo "$said" | tail -n 1)"
}
if command -v unshare >/dev/null && command -v ip >/dev/null; then
  try namespaces true
  try bridge ip link add try0 type bridge
  try veth ip link add try0 type veth peer name try1
fi
command -v unshare >/dev/null || firewall=none
if [ "$firewall" = iptables ] && command -v iptables >/dev/null; then
  try masquerading iptables -w -t nat -A POSTROUTING -s 192.0.2.0/24 \\
    -m comment --comment try -j MASQUERADE
fi
if [ "$firewall" = nftables ] && command -v nft >/dev/null; then
  try masquerading nft 'table inet try {
    chain try {
      type nat hook postrouting priority srcnat; ip saddr 192.0.2.0/24 masquerade;
    }
  }'
fi
loadable() { modprobe -n -q "$1" 2>/dev/null; }
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || loadable br_netfilter ||
  echo "lacks br_netfilter /proc/sys/net/bridge is not there, and no such module"
grep -qw overlay /proc/filesystems || loadable overlay ||
  echo "lacks overlay not in /proc/filesystems, and no such module"
echo "clock $(date +%s)"
`;

/**
 * The step of stage 01 for a machine that exists: it is as it must be, or all
 * that is wrong is told.
 *
 * @param firewall what the stages write their rules with
 * @param now the operator's clock, in milliseconds
 */
export function machineStep(
  node: Pick<ClusterNode, "name" | "address">,
  now: () => number = Date.now,
  firewall: Firewall = "iptables",
): Step {
  const other = firewall === "iptables" ? "nft" : "iptables";
  const wanted = Object.keys(programs).filter((name) => name !== other);
  const script = cmd`sh -c ${survey} survey ${firewall} ${wanted}`;
  return {
    why: "The machine is there already; it has to be as the stages need it. " +
      "This looks, and changes nothing",
    doneWhen: {
      ask: { ...script, label: "a survey of the machine" },
      read: (outcome) => readPreflight(outcome, node, now()),
    },
    // Never run: the answer is never "absent".
    run: cmd`true`,
  };
}

/** Reads a survey's outcome. */
export function readPreflight(
  outcome: Outcome,
  { name, address }: Pick<ClusterNode, "name" | "address">,
  now_ms: number,
): Answer {
  const facts = readFacts(outcome.stdout);
  const clock_s = Number(facts.get("clock")?.[0]);
  if (outcome.code !== 0 || !Number.isInteger(clock_s)) {
    return unknown(outcome, "what the machine is like");
  }
  const wrong = [
    ...mistakesInSystem(facts),
    ...mistakeInAddress(facts, address),
    ...mistakesInFeatures(facts),
    ...mistakeInClock(clock_s - now_ms / 1000),
  ];
  if (wrong.length === 0) return { is: "present" };
  const many = wrong.length === 1
    ? "one thing is"
    : `${wrong.length} things are`;
  return {
    is: "unknown",
    reason: `${name} cannot be a node yet, ${many} wrong:\n` +
      wrong.map((line) => `  - ${line}`).join("\n"),
  };
}

type Facts = ReadonlyMap<string, readonly string[]>;

function readFacts(text: string): Facts {
  const facts = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [key = "", ...rest] = line.split(" ");
    facts.set(key, [...facts.get(key) ?? [], rest.join(" ")]);
  }
  return facts;
}

function mistakesInSystem(facts: Facts): string[] {
  const [kernel = ""] = facts.get("kernel") ?? [];
  if (kernel !== "Linux") {
    return [`it runs ${kernel || "an unknown kernel"}; expected Linux`];
  }
  const wrong: string[] = [];
  const [architecture = ""] = facts.get("architecture") ?? [];
  if (!["x86_64", "aarch64"].includes(architecture)) {
    wrong.push(
      `its architecture is ${architecture}; ` +
        "expected x86_64 or aarch64, for which the plugin can be built",
    );
  }
  const has = facts.get("has") ?? [];
  const [system = ""] = facts.get("system") ?? [];
  const isDebian = /\b(debian|ubuntu)\b/.test(system) &&
    has.includes("apt-get");
  const isInstalled = has.includes("kubeadm") && has.includes("kubelet") &&
    (has.includes("containerd") || has.includes("crio"));
  if (!isDebian && !isInstalled) {
    const [pretty = ""] = facts.get("system-name") ?? [];
    wrong.push(
      `it runs ${
        pretty || "an unknown system"
      }; stage 02 installs with apt: expected Debian or Ubuntu, ` +
        "or kubeadm, kubelet and a container runtime that are there already",
    );
  }
  const missing = facts.get("missing") ?? [];
  if (missing.length > 0) {
    const packages = new Set(missing.map((name) => programs[name] ?? name));
    wrong.push(
      `it has no ${missing.join(", ")}: apt-get install ${
        [...packages].join(" ")
      }`,
    );
  }
  return wrong;
}

function mistakeInAddress(facts: Facts, address: string): string[] {
  const found = facts.get("address") ?? [];
  if (found.includes(address) || (facts.get("missing") ?? []).includes("ip")) {
    return [];
  }
  const others = found.filter((one) => !/^(127\.|::1$|fe80:)/.test(one));
  return [
    `${address} is none of its addresses (it has ${
      others.join(", ") || "none"
    }): correct address in the cluster file, or ssh.host, which may lead to another machine`,
  ];
}

function mistakesInFeatures(facts: Facts): string[] {
  return (facts.get("lacks") ?? []).map((fact) => {
    const [feature, ...said] = fact.split(" ");
    return `its kernel has no ${feature}, or does not let root use it (${
      said.join(" ") || "no reason given"
    })`;
  });
}

function mistakeInClock(ahead_s: number): string[] {
  const off_s = Math.round(Math.abs(ahead_s));
  if (off_s <= clockLimit_s) return [];
  const way = ahead_s > 0 ? "ahead of" : "behind";
  return [
    `its clock is ${off_s} s ${way} this machine's; expected ${clockLimit_s} s ` +
    "at most: set up NTP on both (timedatectl set-ntp true)",
  ];
}
