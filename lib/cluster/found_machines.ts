/**
 * The machines that stage 01 made in a cloud: what the cloud's own tool says of
 * them, as it was written to the cluster's state folder.
 */
import type { CloudMachine, Cluster } from "./cluster.ts";
import { ClusterFileError } from "./yaml.ts";

/** All that was found out about machines in a cloud. */
interface FoundMachines {
  /** By the node's name. */
  readonly machines: ReadonlyMap<string, CloudMachine>;
  /** The route table that the nodes' subnet uses (AWS). */
  readonly routeTableId?: string;
}

/** Whom to log in as: the user of Ubuntu's images (AWS), or that 01 names (GCP). */
export const loginUser = "ubuntu";

/**
 * Where 01 keeps what it found out: the output of `terraform output -json` or
 * `gcloud compute instances list`.
 */
export function machinesPath({ stateDir }: Pick<Cluster, "stateDir">): string {
  return `${stateDir}/machines.json`;
}

/** The private key that 01 made for the cluster's machines. */
export function identityFile({ stateDir }: Pick<Cluster, "stateDir">): string {
  return `${stateDir}/ssh/id_ed25519`;
}

/** Where the host keys of machines that 01 made are kept, from the first contact on. */
export function pinnedKeys({ stateDir }: Pick<Cluster, "stateDir">): string {
  return `${stateDir}/ssh/known_hosts`;
}

/** GCP's names for machines are a project's own, so they begin with the cluster's. */
export function instanceName(cluster: string, node: string): string {
  return `${cluster}-${node}`;
}

/**
 * Gives each node the machine that 01 made for it, where one has been made.
 *
 * @throws {ClusterFileError} when what 01 wrote down cannot be understood
 */
export async function withMachines(cluster: Cluster): Promise<Cluster> {
  const { provider } = cluster;
  if (provider !== "aws" && provider !== "gcp") return cluster;
  const path = machinesPath(cluster);
  let content: string;
  try {
    content = await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return cluster;
    throw error;
  }
  const found = provider === "aws" ? readAws(content, path) : readGcp(
    content,
    path,
    cluster.name,
    cluster.nodes.map(({ name }) => name),
  );
  return {
    ...cluster,
    nodes: cluster.nodes.map((node) => {
      const machine = found.machines.get(node.name);
      if (machine === undefined) return node;
      const { publicAddress } = machine;
      const ssh = {
        user: loginUser,
        identityFile: identityFile(cluster),
        ...(publicAddress === undefined ? {} : { host: publicAddress }),
        ...cluster.ssh,
        ...node.ssh,
      };
      return { ...node, machine, ssh };
    }),
    ...(found.routeTableId === undefined
      ? {}
      : { routeTableId: found.routeTableId }),
  };
}

/**
 * Reads `terraform output -json` of config/terraform/aws/outputs.tf.
 *
 * @param path where it was read from, for the message
 * @throws {ClusterFileError}
 */
export function readAws(content: string, path: string): FoundMachines {
  const outputs = object(parse(content, path));
  const output = (name: string) => object(outputs[name]).value;
  const routeTableId = text(output("route_table_id"));
  const machines = new Map<string, CloudMachine>();
  for (const [name, value] of Object.entries(object(output("machines")))) {
    const { id, interface_id, public_address } = object(value);
    const machine = asMachine(id, public_address, interface_id);
    if (machine?.interfaceId === undefined) {
      throw mistake(path, `${name} has no id or no interface_id`);
    }
    machines.set(name, machine);
  }
  if (routeTableId === undefined || output("machines") === undefined) {
    throw mistake(path, "there are no outputs machines and route_table_id");
  }
  return { machines, routeTableId };
}

/**
 * Reads `gcloud compute instances list --format=json(…)`, as lib/gcp.ts asks.
 *
 * @param path where it was read from, for the message
 * @param cluster the cluster's name
 * @param nodes the names of its nodes
 * @throws {ClusterFileError}
 */
export function readGcp(
  content: string,
  path: string,
  cluster: string,
  nodes: readonly string[],
): FoundMachines {
  const list = parse(content, path);
  if (!Array.isArray(list)) throw mistake(path, "expected a list of instances");
  const byInstance = new Map(
    list.map(object).map((instance) => [instance.name, instance]),
  );
  const machines = new Map<string, CloudMachine>();
  for (const name of nodes) {
    const instance = byInstance.get(instanceName(cluster, name));
    if (instance === undefined) continue;
    const [network] = array(instance.networkInterfaces).map(object);
    const [access] = array(network?.accessConfigs).map(object);
    const machine = asMachine(instance.name, access?.natIP, undefined);
    if (machine !== undefined) machines.set(name, machine);
  }
  return { machines };
}

function asMachine(
  id: unknown,
  publicAddress: unknown,
  interfaceId: unknown,
): CloudMachine | undefined {
  const name = text(id);
  const address = text(publicAddress);
  const card = text(interfaceId);
  if (name === undefined) return undefined;
  return {
    id: name,
    ...(address === undefined ? {} : { publicAddress: address }),
    ...(card === undefined ? {} : { interfaceId: card }),
  };
}

function mistake(path: string, what: string): ClusterFileError {
  return new ClusterFileError([
    `${path}: ${what}; remove it and run 01-provision again`,
  ]);
}

function parse(content: string, path: string): unknown {
  try {
    return JSON.parse(content);
  } catch (error) {
    if (error instanceof SyntaxError) throw mistake(path, "not JSON");
    throw error;
  }
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : {};
}

function array(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that is not empty: a stopped machine's address is "". */
function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
