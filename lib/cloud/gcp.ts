/** Stage 01 on GCP: gcloud makes a network of the cluster's own, and the machines in it. */
import { askPath, put } from "../exec/shell_file.ts";
import {
  addressStep,
  condition,
  greetingStep,
  keyStep,
  machinesStep,
} from "./machines.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { hasBarePods } from "../cluster/tunnels.ts";
import type { GcpSettings } from "../cluster/schema_cloud.ts";
import { cmd, type Outcome, succeeded } from "../exec/command.ts";
import { identityFile, loginUser } from "../cluster/found_machines.ts";
import {
  descriptionOf,
  existsInGcp,
  gcloud,
  gcpOf,
  gcpUnknown,
  gone,
  lets,
  making_ms,
} from "./gcp_answers.ts";
import { instanceStep, listMachines, startStep } from "./gcp_machines.ts";
import { whereThere } from "../steps/file_probes.ts";
import type { Answer, Step } from "../stage/stage.ts";

/** The steps that make the machines, for the operator's machine. Pure. */
export function gcpSteps(cluster: Cluster): Step[] {
  const gcp = gcpOf(cluster);
  const folder = `${cluster.stateDir}/gcloud`;
  const addressFile = `${folder}/ssh_from.yaml`;
  const from = gcp.sshFrom === undefined
    ? `--flags-file=${addressFile}`
    : `--source-ranges=${gcp.sshFrom.join(",")}`;
  const hasBare = hasBarePods(cluster);
  const inside = [
    cluster.segmentCIDR,
    ...(hasBare ? cluster.clusterCIDRs : []),
  ].join(",");
  return [
    condition(
      "GCP has to know who asks, and for which project",
      gcloud(gcp, "project-info", "describe", "--format=json(name)"),
      readProject,
    ),
    keyStep(cluster),
    loginStep(cluster, `${folder}/ssh-keys`),
    ...(gcp.sshFrom === undefined ? [addressStep(addressFile)] : []),
    networkStep(cluster, gcp),
    subnetStep(cluster, gcp),
    ...firewallSteps(cluster, gcp, {
      name: `${cluster.name}-inside`,
      why: hasBare
        ? "The nodes and the pods among themselves; packets between pods bear the pods' addresses"
        : "The nodes among themselves, their tunnels with what pods send among it",
      allow: "all",
      from: `--source-ranges=${inside}`,
    }),
    ...firewallSteps(cluster, gcp, {
      name: `${cluster.name}-ssh`,
      why: "The operator, and nobody else, by ssh",
      allow: "tcp:22",
      from,
    }),
    ...cluster.nodes.flatMap((node) => [
      instanceStep(cluster, gcp, node, `${folder}/ssh-keys`),
      startStep(cluster, gcp, node),
    ]),
    machinesStep(cluster, listMachines(cluster, gcp)),
    ...cluster.nodes.map((node) => greetingStep(cluster, node)),
  ];
}

/** A region's name is its zones' without the last letter. */
function regionOf({ zone }: GcpSettings): string {
  return zone.slice(0, zone.lastIndexOf("-"));
}

/**
 * GCP's machines get their keys by metadata, behind the user's name:
 * https://cloud.google.com/compute/docs/connect/add-ssh-keys
 */
function loginStep(cluster: Cluster, path: string): Step {
  const key = `${identityFile(cluster)}.pub`;
  const write = `${put}put "$1" 600 printf "%s:%s\\n" "$2" "$(cat "$3")"`;
  const ask =
    'if [ "$(cat "$1")" = "$2:$(cat "$3")" ]; then echo same; else echo other; fi';
  return {
    key: "the user of the ssh key",
    why: `GCP makes the user ${loginUser} for the key, where it is told so`,
    doneWhen: whereThere(
      askPath(path, ask, loginUser, key),
      `what ${path} holds`,
      (text) =>
        text.trim() === "same"
          ? { is: "present", ours: true }
          : { is: "absent" },
    ),
    run: {
      ...cmd`sh -euc ${write} write ${path} ${loginUser} ${key}`,
      label: `write ${path}`,
    },
    undo: cmd`rm -rf ${path.slice(0, path.lastIndexOf("/"))}`,
  };
}

function networkStep(cluster: Cluster, gcp: GcpSettings): Step {
  const { name } = cluster;
  return {
    why:
      "A network of the cluster's own: the project's other machines are not in it",
    key: "the network",
    doneWhen: existsInGcp(
      cluster,
      name,
      gcloud(gcp, "networks", "describe", name),
    ),
    run: gcloud(
      gcp,
      "networks",
      "create",
      name,
      "--subnet-mode=custom",
      `--description=${descriptionOf(cluster)}`,
    ),
    undo: gone(name, gcloud(gcp, "networks", "delete", name)),
    timeout_ms: making_ms,
  };
}

function subnetStep(cluster: Cluster, gcp: GcpSettings): Step {
  const { name, segmentCIDR } = cluster;
  const region = `--region=${regionOf(gcp)}`;
  const subnets = (...args: string[]) =>
    gcloud(gcp, "networks", "subnets", ...args);
  return {
    why: "The nodes' own addresses",
    key: "the subnet",
    doneWhen: existsInGcp(
      cluster,
      name,
      subnets("describe", name, region),
      ({ ipCidrRange }) =>
        ipCidrRange === segmentCIDR
          ? undefined
          : `the subnet ${name} has ${ipCidrRange}, not ${segmentCIDR}`,
    ),
    run: subnets(
      "create",
      name,
      region,
      `--network=${name}`,
      `--range=${segmentCIDR}`,
      `--description=${descriptionOf(cluster)}`,
    ),
    undo: gone(name, subnets("delete", name, region)),
    timeout_ms: making_ms,
  };
}

interface Firewall {
  readonly name: string;
  readonly why: string;
  readonly allow: string;
  /** A flag that gives the addresses that may come in: the very ones, or a file of flags. */
  readonly from: string;
}

function firewallSteps(
  cluster: Cluster,
  gcp: GcpSettings,
  { name, why, allow, from }: Firewall,
): Step[] {
  const rules = (...args: string[]) => gcloud(gcp, "firewall-rules", ...args);
  return [{
    why,
    key: `the firewall rule ${name}`,
    doneWhen: existsInGcp(cluster, name, rules("describe", name)),
    run: rules(
      "create",
      name,
      `--network=${cluster.name}`,
      "--direction=INGRESS",
      `--allow=${allow}`,
      from,
      `--description=${descriptionOf(cluster)}`,
    ),
    undo: gone(name, rules("delete", name)),
    timeout_ms: making_ms,
  }, {
    why: `${why}: also where those addresses are others by now`,
    doneWhen: lets(name, from, rules("describe", name)),
    run: rules("update", name, from),
    timeout_ms: making_ms,
  }];
}

function readProject(outcome: Outcome): Answer {
  if (succeeded(outcome)) return { is: "present" };
  return gcpUnknown(outcome, "whose GCP project this is");
}
