/** Stage 01 on GCP: gcloud makes a network of the cluster's own, and the machines in it. */
import { askPath, put } from "../exec/shell_file.ts";
import {
  addressStep,
  condition,
  deleteIfPresent,
  greetingStep,
  keyStep,
  machinesStep,
  readJson,
} from "./machines.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import type { GcpSettings } from "../cluster/schema_cloud.ts";
import { cmd, type Command, type Outcome, succeeded } from "../exec/command.ts";
import {
  identityFile,
  instanceName,
  loginUser,
} from "../cluster/found_machines.ts";
import {
  descriptionOf,
  existsInGcp,
  gcloud,
  gcpOf,
  gcpUnknown,
  isAbsent,
  lets,
} from "./gcp_answers.ts";
import { unknown } from "../steps/probes.ts";
import { whereThere } from "../steps/file_probes.ts";
import type { Answer, Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** Milliseconds that making or removing one thing may take. */
const making_ms = 10 * 60_000;

/** The steps that make the machines, for the operator's machine. Pure. */
export function gcpSteps(cluster: Cluster): Step[] {
  const gcp = gcpOf(cluster);
  const folder = `${cluster.stateDir}/gcloud`;
  const addressFile = `${folder}/ssh_from.yaml`;
  const from = gcp.sshFrom === undefined
    ? `--flags-file=${addressFile}`
    : `--source-ranges=${gcp.sshFrom.join(",")}`;
  const inside = [cluster.segmentCIDR, ...cluster.clusterCIDRs].join(",");
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
      why:
        "The nodes and the pods among themselves; packets between pods bear the pods' addresses",
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
      machineStep(cluster, gcp, node, `${folder}/ssh-keys`),
      startStep(cluster, gcp, node),
    ]),
    machinesStep(cluster, listOf(cluster, gcp)),
    ...cluster.nodes.map((node) => greetingStep(cluster, node)),
  ];
}

/** A region's name is its zones' without the last letter. */
function regionOf({ zone }: GcpSettings): string {
  return zone.slice(0, zone.lastIndexOf("-"));
}

/** GCP's machines get their keys by metadata, behind the user's name: https://cloud.google.com/compute/docs/connect/add-ssh-keys */
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

function machineStep(
  cluster: Cluster,
  gcp: GcpSettings,
  { name: node, address }: ClusterNode,
  keys: string,
): Step {
  const name = instanceName(cluster.name, node);
  const { zone, machineType } = gcp;
  const at = `--zone=${zone}`;
  return {
    why:
      `A machine for ${node}; pods' packets, which bear other addresses than its own, may come and go by it`,
    key: `the machine ${name}`,
    node: node,
    doneWhen: existsInGcp(
      cluster,
      name,
      gcloud(gcp, "instances", "describe", name, at),
      (instance) => otherwise(instance, machineType, address),
    ),
    run: gcloud(
      gcp,
      "instances",
      "create",
      name,
      at,
      `--machine-type=${machineType}`,
      `--subnet=${cluster.name}`,
      `--private-network-ip=${address}`,
      "--can-ip-forward",
      `--image-family=${gcp.imageFamily}`,
      "--image-project=ubuntu-os-cloud",
      `--boot-disk-size=${gcp.diskGB}GB`,
      "--shielded-secure-boot",
      // Nothing that a pod could ask the metadata server for.
      "--no-service-account",
      "--no-scopes",
      "--metadata=block-project-ssh-keys=TRUE,enable-oslogin=FALSE",
      `--metadata-from-file=ssh-keys=${keys}`,
      `--labels=${mark}=${cluster.name}`,
      `--description=${descriptionOf(cluster)}`,
    ),
    undo: { cleanup: gone(name, gcloud(gcp, "instances", "delete", name, at)) },
    timeout_ms: making_ms,
    consent: {
      apply:
        `make machines on GCP (${machineType}, ${zone}), which cost money until --undo takes them back`,
      undo:
        `delete machines of the cluster ${cluster.name} on GCP, and what is on their disks`,
    },
  };
}

interface Instance {
  readonly status?: string;
  readonly canIpForward?: boolean;
  /** An address that ends in the type's name. */
  readonly machineType?: string;
  readonly networkInterfaces?: readonly { readonly networkIP?: string }[];
}

/** What of a machine is not as the cluster file has it, if anything. */
function otherwise(
  { machineType = "", canIpForward, networkInterfaces }: Instance,
  wanted: string,
  address: string,
): string | undefined {
  const type = machineType.slice(machineType.lastIndexOf("/") + 1);
  const ip = networkInterfaces?.[0]?.networkIP;
  if (type !== wanted) return `it is of type ${type}, not ${wanted}`;
  if (ip !== address) return `its address is ${ip}, not ${address}`;
  return canIpForward
    ? undefined
    : "it was made without --can-ip-forward, and drops pods' packets";
}

function startStep(
  cluster: Cluster,
  gcp: GcpSettings,
  { name: node }: ClusterNode,
): Step {
  const name = instanceName(cluster.name, node);
  const at = `--zone=${gcp.zone}`;
  return {
    why: `${node} runs; a machine that was stopped is started again`,
    node: node,
    doneWhen: {
      ask: gcloud(
        gcp,
        "instances",
        "describe",
        name,
        at,
        "--format=json(status)",
      ),
      read(outcome) {
        const { status } = (readJson(outcome.stdout) ?? {}) as Pick<
          Instance,
          "status"
        >;
        if (isAbsent(outcome, name)) return { is: "absent" };
        if (!succeeded(outcome) || status === undefined) {
          return unknown(outcome, `whether ${name} runs`);
        }
        return status === "TERMINATED" || status === "SUSPENDED"
          ? { is: "absent" }
          : { is: "present" };
      },
    },
    run: gcloud(gcp, "instances", "start", name, at),
    timeout_ms: making_ms,
    consent: {
      apply:
        `start machines on GCP (${gcp.machineType}, ${gcp.zone}), which cost money while they run`,
    },
  };
}

/** Who the cluster's machines are; what they let out of their metadata stays there. */
function listOf(cluster: Cluster, gcp: GcpSettings): Command {
  return gcloud(
    gcp,
    "instances",
    "list",
    `--zones=${gcp.zone}`,
    `--filter=labels.${mark}=${cluster.name}`,
    "--sort-by=name",
    "--format=json(name,networkInterfaces[].networkIP,networkInterfaces[].accessConfigs[].natIP)",
  );
}

function gone(name: string, command: Command): Command {
  return deleteIfPresent(`/${name}' was not found`, command);
}

function readProject(outcome: Outcome): Answer {
  if (succeeded(outcome)) return { is: "present" };
  return gcpUnknown(outcome, "whose GCP project this is");
}
