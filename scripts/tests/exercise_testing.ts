/** What the tests of the exercises share: the lab in this process, and repairs that only hide a fault. */
import { reachOf } from "../../lib/cli/connect.ts";
import { examine } from "../../lib/doctor/doctor.ts";
import type { ExerciseLab } from "../../lib/exercise/actions.ts";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import type { Exercise } from "../../lib/exercise/exercise.ts";
import { parseEnd } from "../../lib/trace/endpoints.ts";
import { trace } from "../../lib/trace/trace.ts";
import type { Cluster } from "../../lib/cluster/cluster.ts";
import type { RunContext } from "../../lib/stage/context.ts";
import { probedStages, stages } from "../stages.ts";
import type { TestLab } from "./lab_testing.ts";
import { clusterOf, follow } from "./verify_testing.ts";

const context: RunContext = {
  timeout_ms: 20_000,
  signal: new AbortController().signal,
  stopping: () => false,
  tell: () => {},
};

/** A lab that is up, as the exercises take it: by function, without a process for each. */
export async function exerciseLab(lab: TestLab): Promise<ExerciseLab> {
  const cluster = await clusterOf(lab);
  return {
    run: {
      context,
      undo: false,
      nodes: [],
      form: undefined,
      results: [],
      cluster: () => Promise.resolve(cluster),
      selected: ({ nodes }) => nodes.map(({ name }) => name),
      reach: reachOf,
    },
    stageSet: { stages, probed: probedStages },
  };
}

/** What the tool says that an exercise names, all in one text. */
export async function toldBy(
  { shownBy: { tool }, from, to, family }: Exercise,
  cluster: Cluster,
): Promise<string> {
  const reach = reachOf(cluster);
  if (tool === "doctor") {
    const names = cluster.nodes.map(({ name }) => name);
    const { nodes } = await examine(cluster, reach, names, context, stages);
    return nodes.flatMap((node) => node.is === "examined" ? node.checks : [])
      .flatMap(({ findings }) => findings).map((finding) =>
        finding.is === "fault" || finding.is === "warning" ? finding.what : ""
      ).join("\n");
  }
  const { cause } = await trace(cluster, reach, {
    from: parseEnd(from, "--from", cluster),
    to: parseEnd(to, "--to", cluster),
    family: family ?? 4,
    stages: probedStages,
    options: context,
  });
  const shown = cause?.evidence.map(({ printed }) => printed) ?? [];
  return [cause?.what, ...cause?.mend ?? [], ...shown].join("\n");
}

/**
 * Does what a line says, without a process of make and of the script for what
 * runs a command on a node: such lines are many, and other tests paste some.
 */
export async function doLine(lab: TestLab, line: string): Promise<void> {
  if (!line.startsWith("make shell ")) return await follow(lab, line);
  const printed = `make() { printf '%s\\n' "$@"; }\n${line}`;
  const { stdout } = await run(cmd`sh -c ${printed}`);
  const variable = (name: string) =>
    new RegExp(`^${name}=(.*)$`, "m").exec(stdout)?.[1];
  const command = (variable("ARGS") ?? "").replace(/^-- /, "")
    .replaceAll("$$", "$");
  const pod = variable("POD");
  const inside = pod === undefined
    ? []
    : ["nsenter", `--net=/run/netns/${pod}`];
  const script = cmd`sh -c ${command}`;
  const [program, ...args] = [...inside, ...script.argv];
  await lab.on(variable("NODE") ?? "", cmd`${program ?? ""} ${args}`);
}

/** A repair that makes all paths right, and hides the fault or leaves a part of it. */
export interface Paper {
  readonly on: string;
  /** Lines for a shell there, with the functions of faults. */
  readonly run: string;
  /** Parts of what the check says of it. */
  readonly says: readonly string[];
}

const still = "what broke it is still there";

/** By the exercise's id. */
export const papers: Readonly<Record<string, Paper>> = {
  "wrong-network": {
    on: "worker-2",
    run: "iptables -w -P FORWARD ACCEPT",
    says: [
      "worker-2 had before, and has no more: iptables -t filter -P FORWARD DROP",
      "06-forwarding was not run again on worker-2",
    ],
  },
  "answers-astray": {
    on: "worker-2",
    run: "ip route replace 10.244.1.0/24 via 10.0.1.11",
    says: [
      "worker-2 has, and had not before: ip route 10.244.1.0/24 via 10.0.1.11",
      "-- ip route del 10.244.1.0/24 via 10.0.1.11 dev eth0",
      "08-routes was not run again on worker-2",
    ],
  },
  "lost-source": {
    on: "worker-1",
    run: "iptables -w -t nat -I POSTROUTING -s 10.244.1.0/24 " +
      "-d 10.244.0.0/16 -j ACCEPT",
    says: [
      "worker-1 has, and had not before: iptables -t nat -A POSTROUTING",
      "-d 10.244.0.0/16 -j ACCEPT",
      "07-masquerade was not run again on worker-1",
    ],
  },
  "route-gone": {
    on: "worker-1",
    run: "ip route add 10.244.2.0/24 via 10.0.1.12",
    says: [
      "-- ip route del 10.244.2.0/24 via 10.0.1.12 dev eth0",
      "what 08-routes makes, it makes again",
    ],
  },
  "no-masquerade": {
    on: "worker-2",
    run: "iptables -w -t nat -A POSTROUTING -s 10.244.2.0/24 " +
      "! -d 10.244.0.0/16 -o eth0 -j SNAT --to-source 10.0.1.12",
    says: ["--to-source 10.0.1.12", `${still}: worker-2 had before`],
  },
  "pages-dropped": {
    on: "worker-2",
    run: "iptables -w -I FORWARD -p tcp --dport 80 -j ACCEPT",
    says: [
      `${still}: worker-2 has, and had not before: iptables -t filter -A FORWARD`,
      "-j DROP",
      "-m tcp --dport 80 -j ACCEPT",
    ],
  },
  "narrower-route": {
    on: "worker-1",
    run: "ip route add 10.244.2.0/27 via 10.0.1.12",
    says: [`${still}: worker-1`, "10.244.2.0/26", "10.244.2.0/27"],
  },
  "second-opinion": {
    on: "worker-1",
    run: "ip rule add pref 100 from 10.244.1.0/24 lookup main",
    says: [still, "blackhole 10.244.2.0/24 table 100", "ip rule del pref 100"],
  },
  "stale-neighbour": {
    on: "worker-1",
    run: "ip neigh del 10.0.1.12 dev eth0; ping -nqc1 -W1 10.0.1.12; " +
      "ip neigh change 10.0.1.12 dev eth0 nud permanent",
    says: ["neighbour 10.0.1.12", "-- ip neigh del 10.0.1.12 dev eth0"],
  },
  "no-address-left": {
    on: "worker-2",
    run: "rm /run/deno-cni/networks/deno-cni/10.244.2.200",
    says: ["leases without a pod: 250"],
  },
  "other-plugin": {
    on: "worker-1",
    run: "cp /etc/cni/net.d/10-deno-cni.conflist /etc/cni/net.d/01-a.conflist",
    says: [still, "-- rm /etc/cni/net.d/01-a.conflist", "05-flannel"],
  },
  "pod-gateway": {
    on: "worker-1",
    run: "for net in 10.0.0.0/8 203.0.113.0/24; do " +
      "inside shell ip route add $net via 10.244.1.1; done",
    says: [still, "pod shell: ip route 10.0.0.0/8", "--net=/run/netns/shell"],
  },
  "unplugged": {
    on: "worker-2",
    run: 'ip link set dev "$(veth web)" master cni0',
    says: ["link of pod web", "no hairpin"],
  },
  "isolated-ports": {
    on: "worker-2",
    run: 'bridge link set dev "$(veth web)" isolated off',
    says: [`${still}: worker-2 had before`, "isolated"],
  },
  "black-hole": {
    on: "worker-2",
    run: "ip link set dev eth0 mtu 1500",
    says: [still, "-A OUTPUT -p icmp", "-j DROP"],
  },
  "marked-answers": {
    on: "worker-2",
    run: "ip rule del fwmark 7 lookup 101",
    says: [still, "-t mangle -A PREROUTING", "table 101"],
  },
};
