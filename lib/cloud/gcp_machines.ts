/** The machines of a cluster on GCP: made, started, listed. */
import { readJson } from "./machines.ts";
import type { Cluster, ClusterNode } from "../cluster/cluster.ts";
import { hasBarePods } from "../cluster/tunnels.ts";
import type { GcpSettings } from "../cluster/schema_cloud.ts";
import { type Command, succeeded } from "../exec/command.ts";
import { instanceName } from "../cluster/found_machines.ts";
import {
  descriptionOf,
  existsInGcp,
  gcloud,
  gone,
  isAbsent,
  making_ms,
} from "./gcp_answers.ts";
import { unknown } from "../steps/probes.ts";
import type { Step } from "../stage/stage.ts";
import { mark } from "../net/mark.ts";

/** Makes a node's machine. */
export function instanceStep(
  cluster: Cluster,
  gcp: GcpSettings,
  { name: node, address }: ClusterNode,
  keys: string,
): Step {
  const name = instanceName(cluster.name, node);
  const { zone, machineType } = gcp;
  const at = `--zone=${zone}`;
  const hasBare = hasBarePods(cluster);
  return {
    why: `A machine for ${node}` +
      (hasBare
        ? "; pods' packets, which bear other addresses than its own, may come and go by it"
        : ""),
    key: `the machine ${name}`,
    node: node,
    doneWhen: existsInGcp(
      cluster,
      name,
      gcloud(gcp, "instances", "describe", name, at),
      (instance) => otherwise(instance, machineType, address, hasBare),
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
      ...(hasBare ? ["--can-ip-forward"] : []),
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
        `make machines on GCP (${machineType}, ${zone}), which cost money until --undo ` +
        `takes them back`,
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
  forwards: boolean,
): string | undefined {
  const type = machineType.slice(machineType.lastIndexOf("/") + 1);
  const ip = networkInterfaces?.[0]?.networkIP;
  if (type !== wanted) return `it is of type ${type}, not ${wanted}`;
  if (ip !== address) return `its address is ${ip}, not ${address}`;
  return canIpForward || !forwards
    ? undefined
    : "it was made without --can-ip-forward, and drops pods' packets";
}

/** Starts a node's machine where it was stopped. */
export function startStep(
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

/** Lists the cluster's machines: names and addresses, nothing of their metadata. */
export function listMachines(cluster: Cluster, gcp: GcpSettings): Command {
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
