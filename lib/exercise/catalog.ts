/** The exercises of a cluster: the data of catalog/ with the cluster's own names in them. Pure. */
import { hiddenExercises } from "./catalog/hidden.ts";
import { podExercises } from "./catalog/in_a_pod.ts";
import { nodeExercises } from "./catalog/on_a_node.ts";
import { halfWorkingExercises } from "./catalog/half_working.ts";
import { twofoldExercises } from "./catalog/twofold.ts";
import { wrongStageExercises } from "./catalog/wrong_stage.ts";
import type { Exercise, ExerciseData, HandFault, Repair } from "./exercise.ts";
import { familiesOf, inFamily } from "../cluster/address_family.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { makeLine } from "../cluster/make_line.ts";
import { newPods, remedyLine } from "../diagnosis/remedy.ts";
import { quote } from "../exec/command.ts";
import {
  addressNumber,
  addressText,
  formatCidr,
  gateway,
  parseCidr,
} from "../net/cidr.ts";
import { clusterSet, nftProtocol, nftTable } from "../net/nft_table.ts";
import { withExpectedPodCIDRs } from "../stage/plan_stages.ts";
import { workersOf } from "../verify/matrix.ts";
import { caller, server } from "../verify/namespace_pods.ts";

/** All of them, in the order of their numbers. */
export const exerciseData: readonly ExerciseData[] = [
  ...wrongStageExercises,
  ...nodeExercises,
  ...podExercises,
  ...halfWorkingExercises,
  ...hiddenExercises,
  ...twofoldExercises,
];

/**
 * The exercises on a cluster. One whose pods have no IPv4 has those alone that
 * break a stage as a whole, and one without IPv6 none that are about it.
 *
 * @throws {RangeError} when it has fewer than two workers
 */
export function exercises(cluster: Cluster): readonly Exercise[] {
  const names = namesOf(cluster);
  const families = familiesOf(cluster);
  return exerciseData.filter(({ faults, family }) =>
    (families.includes(4) && families.includes(family ?? 4)) ||
    faults.every((fault) => "stage" in fault)
  ).map((data, at) => exerciseOn(cluster, filled(data, names), at + 1));
}

function exerciseOn(
  cluster: Cluster,
  data: ExerciseData,
  number: number,
): Exercise {
  const [one, two] = workersOf(cluster).map(({ name }) => name);
  const { from = `${one}/${caller}`, to = `${two}/${server}` } = data;
  const trace = traceLine({ ...data, from, to }, cluster);
  const doctor = makeLine("doctor", cluster);
  const [first, second] = data.hints.map(({ says, look }) => ({
    says,
    run: look === "trace"
      ? trace
      : look === "doctor"
      ? doctor
      : commandLine(look, cluster),
  }));
  if (first === undefined || second === undefined) {
    throw new TypeError("an exercise has two hints");
  }
  return {
    ...data,
    ...{ number, from, to },
    hints: [first, second],
    shows: data.shownBy.tool === "trace" ? trace : doctor,
    mends: data.repairs.flatMap((repair) => repairLines(repair, cluster)),
  };
}

/** The line that traces an exercise's path. */
export function traceLine(
  { from, to, family }: Pick<Exercise, "from" | "to" | "family">,
  cluster: Cluster,
): string {
  return makeLine("trace", cluster, {
    FROM: from,
    TO: to,
    ...(family === undefined ? {} : { ARGS: ["--family", String(family)] }),
  });
}

/** Lines for the operator's shell that do a repair. */
function repairLines(repair: Repair, cluster: Cluster): readonly string[] {
  if ("stage" in repair) {
    return [makeLine(repair.stage, cluster, { ARGS: ["--node", repair.on] })];
  }
  // A veth's name is known on the node alone; new pods have new ones.
  return repair.run.includes("$(veth ")
    ? newPods(repair.on).map((remedy) => remedyLine(remedy, cluster))
    : [commandLine(repair, cluster)];
}

/** A line that runs a shell's line on a node, or in a pod of it. */
function commandLine({ on, run }: HandFault, cluster: Cluster): string {
  const [, inPod, rest] = /^inside (\S+) ([^;]*)$/.exec(run) ?? [];
  const [node = "", pod = inPod] = on.split("/");
  const line = rest ?? run;
  const [, script] = /^sh -c '([^']*)'$/.exec(line) ?? [];
  const isPlain = line.split(" ").every((word) => quote(word) === word);
  const words = script !== undefined
    ? ["sh", "-c", script]
    : isPlain
    ? line.split(" ")
    : ["sh", "-c", line];
  return makeLine("shell", cluster, {
    NODE: node,
    ...(pod === undefined ? {} : { POD: pod }),
    ARGS: ["--", ...words],
  });
}

/** What stands in the data for a cluster's own names and addresses. */
function namesOf(whole: Cluster): Readonly<Record<string, string>> {
  const cluster = inFamily(withExpectedPodCIDRs(whole), 4);
  const [one, two] = workersOf(cluster);
  if (one === undefined || two === undefined) {
    throw new RangeError("exercises want two workers");
  }
  const [pods1 = "", pods2 = ""] = [one, two].map(({ podCIDRs }) =>
    podCIDRs[0] ?? ""
  );
  const isNftables = whole.firewall === "nftables";
  const three = cluster.nodes.find((node) => node !== one && node !== two);
  const common = {
    one: one.name,
    two: two.name,
    three: three?.name ?? one.name,
    address1: one.address,
    address2: two.address,
    bridge: cluster.bridge,
    uplink: "eth0",
    outside: cluster.outside.gateway,
    segment: whole.segmentCIDRs.join(", "),
    exemption: whole.clusterCIDRs.map((cidr) =>
      isNftables
        ? `"${nftProtocol(cidr)} daddr != @${clusterSet(cidr)}"`
        : `"! -d ${cidr}"`
    ).join(" and "),
    // Of iptables' chain nft tells as well, also where the program is gone.
    showForward: isNftables
      ? "nft list chain ip filter FORWARD"
      : "iptables -S FORWARD",
    showNat: isNftables
      ? `nft list chain ${nftTable.join(" ")} postrouting`
      : "iptables -t nat -S POSTROUTING",
    flushNat: isNftables
      ? `nft flush chain ${nftTable.join(" ")} postrouting`
      : "iptables -w -t nat -F POSTROUTING",
  };
  if (pods1 === "" || pods2 === "") return common;
  const [gateway1 = "", length1 = ""] = gateway(pods1).split("/");
  const { network, prefixLength } = parseCidr(pods2);
  return {
    ...common,
    ...{ pods1, pods2, gateway1, length1 },
    gateway2: gateway(pods2).replace(/\/.*/, ""),
    prefix2: pods2.replace(/\.\d+\/.*/, ""),
    part2: formatCidr({ family: 4, network, prefixLength: prefixLength + 2 }),
    nobody: nth(cluster.segmentCIDR, 99),
    nobody1: nth(pods1, 99),
    nobody2: nth(pods2, 77),
  };
}

function nth(cidr: string, place: number): string {
  const first = addressNumber(cidr.replace(/\/.*/, ""));
  return addressText(first + BigInt(place), 4);
}

/** The value with names in the place of {name}, wherever it holds a text. */
function filled<Value>(
  value: Value,
  names: Readonly<Record<string, string>>,
): Value {
  const fill = (one: unknown): unknown => {
    if (typeof one === "string") {
      return one.replace(/\{(\w+)\}/g, (whole, name) => names[name] ?? whole);
    }
    if (Array.isArray(one)) return one.map(fill);
    if (typeof one !== "object" || one === null) return one;
    return Object.fromEntries(
      Object.entries(one).map(([key, inner]) => [key, fill(inner)]),
    );
  };
  return fill(value) as Value;
}
