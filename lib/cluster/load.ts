/** Reading a cluster file, and what 01 and 02 found out about the cluster. */
import { CidrError, splitClusterCIDR } from "../net/cidr.ts";
import { ClusterFileError, type Reading, readYaml } from "./yaml.ts";
import { checkPodCIDRs } from "./rules_pod_cidrs.ts";
import { keptWords, moveWords } from "./kept_pod_cidrs.ts";
import { checkTogether } from "./rules.ts";
import { podCIDR, runtimes, schema } from "./schema.ts";
import { toCluster } from "./to_cluster.ts";
import { withMachines } from "./found_machines.ts";
import { projectRoot } from "../exec/project_root.ts";
import { type Cluster, podCIDRsPath, runtimePath } from "./cluster.ts";

/** Where, and how much of, a cluster is read. */
interface LoadOptions {
  /**
   * The folder of all clusters' state folders; default: $DENO_CNI_STATE, else
   * `.state` in the project.
   */
  readonly stateRoot?: string;
  /** Reads the file alone: for what has to work also when the two no longer fit. */
  readonly ignoreFound?: boolean;
  /** Passes over podCIDRs that no longer fit: for what takes back all that was made by them. */
  readonly dropUnfit?: boolean;
}

/**
 * Reads a cluster file, and what stages 01 and 02 found out about the cluster.
 *
 * @param file its path
 * @throws {ClusterFileError} with all mistakes: file, line, key, value and what was expected
 */
export async function loadCluster(
  file: string,
  { stateRoot, ignoreFound = false, dropUnfit = false }: LoadOptions = {},
): Promise<Cluster> {
  const content = await readFile(file);
  const root = stateRoot || Deno.env.get("DENO_CNI_STATE") ||
    `${projectRoot}/.state`;
  const absolute = root.startsWith("/") ? root : `${Deno.cwd()}/${root}`;
  const inFile = parseCluster(content, file, absolute);
  const runtime = Deno.env.get("DENO_CNI_RUNTIME") ||
    (ignoreFound ? undefined : await foundRuntime(inFile));
  const cluster = withRuntime(inFile, runtime);
  return ignoreFound
    ? cluster
    : await withMachines(await withFoundPodCIDRs(cluster, dropUnfit));
}

/** A cluster of ten thousand nodes takes less. */
const most_bytes = 2 ** 22;

/** @throws {ClusterFileError} */
async function readFile(file: string): Promise<string> {
  const cannot = (why: string) =>
    new ClusterFileError([
      `${file}: cannot read the cluster file: ${why}; ` +
      "name one with --cluster, e.g. config/lab.yaml",
    ]);
  const decoder = new TextDecoder();
  let content = "";
  let held_bytes = 0;
  try {
    using opened = await Deno.open(file);
    const chunk = new Uint8Array(2 ** 16);
    for (;;) {
      const read_bytes = await opened.read(chunk);
      if (read_bytes === null) return content + decoder.decode();
      held_bytes += read_bytes;
      if (held_bytes > most_bytes) break;
      content += decoder.decode(chunk.subarray(0, read_bytes), {
        stream: true,
      });
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw cannot(
      error instanceof Deno.errors.NotFound ? "no such file" : error.message,
    );
  }
  throw cannot(`it holds more than ${most_bytes / 2 ** 20} MiB`);
}

/** What an edit of the cluster's file leaves as it was, in a sentence; undefined where nothing. */
export async function keptPodCIDRs(
  cluster: Cluster,
): Promise<string | undefined> {
  const inFile = await loadCluster(cluster.file, { ignoreFound: true });
  return keptWords(inFile, cluster);
}

/**
 * Reads a cluster file's text.
 *
 * @param stateRoot the folder of all clusters' state folders, absolute
 * @throws {ClusterFileError}
 */
export function parseCluster(
  content: string,
  file: string,
  stateRoot: string,
): Cluster {
  const from = JSON.stringify([content, file, stateRoot]);
  if (last?.from === from) return last.cluster;
  const cluster = checkedCluster(readYaml(content, file), file, stateRoot);
  last = { from, cluster };
  return cluster;
}

/** What was read last: a run reads its file again after each stage. */
let last: { readonly from: string; readonly cluster: Cluster } | undefined;

/**
 * Checks what was read of a cluster file.
 *
 * @throws {ClusterFileError}
 */
export function checkedCluster(
  reading: Reading,
  file: string,
  stateRoot: string,
): Cluster {
  const draft = schema.read(reading.value, [], reading);
  if (draft !== undefined) checkTogether(draft, reading);
  const mistakes = reading.mistakes();
  if (draft === undefined || mistakes.length > 0) {
    throw new ClusterFileError(mistakes);
  }
  const cluster = toCluster(draft, file, stateRoot);
  const mistake = mistakeInSplit(cluster);
  if (mistake === undefined) return cluster;
  reading.wrong(["clusterCIDR"], mistake);
  throw new ClusterFileError(reading.mistakes());
}

/** Whether there is a podCIDR for every node, beside those that are given. */
function mistakeInSplit(cluster: Cluster): string | undefined {
  try {
    splitClusterCIDR(cluster);
    return undefined;
  } catch (error) {
    if (error instanceof CidrError) return error.message;
    throw error;
  }
}

/** What the lab was made with; a lab's later runs go on with it. */
async function foundRuntime(cluster: Cluster): Promise<string | undefined> {
  if (cluster.provider !== "lab") return undefined;
  return (await readIfThere(runtimePath(cluster)))?.trim();
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** $DENO_CNI_RUNTIME, or what the lab was made with, beats the file. */
function withRuntime(cluster: Cluster, value: string | undefined): Cluster {
  if (!value) return cluster;
  const wanted = runtimes.find((runtime) => runtime === value);
  if (wanted === undefined) {
    throw new ClusterFileError([
      `DENO_CNI_RUNTIME: "${value}" is not one of ${runtimes.join(", ")}`,
    ]);
  }
  const { runtime: _, ...bare } = cluster;
  if (wanted === "none") {
    return cluster.runtime === undefined
      ? bare
      : { ...bare, runtimeAskedFor: true };
  }
  if (cluster.provider !== "lab") {
    throw new ClusterFileError([
      `DENO_CNI_RUNTIME: ${wanted} is for a lab's nodes, and ${cluster.file} is no lab`,
    ]);
  }
  return cluster.runtime === wanted
    ? cluster
    : { ...cluster, runtime: wanted, runtimeAskedFor: true };
}

/** Gives each node the podCIDRs that 02 found out, where the file has none. */
async function withFoundPodCIDRs(
  cluster: Cluster,
  dropUnfit: boolean,
): Promise<Cluster> {
  const path = podCIDRsPath(cluster);
  const content = await readIfThere(path);
  if (content === undefined) return cluster;
  const mistakes: string[] = [];
  const wrong = (what: string) => {
    mistakes.push(`${path}: ${what}; remove it and run 02-kubeadm again`);
  };
  const found = parsePodCIDRs(content, wrong);
  const nodes = cluster.nodes.map((node) => ({
    ...node,
    podCIDRs: node.podCIDRs.length > 0
      ? node.podCIDRs
      : found.get(node.name) ?? [],
  }));
  const merged = { ...cluster, nodes };
  // undefined: found nothing, which is not the same as a list of none.
  const listed = nodes.map(({ name, podCIDRs }) => ({
    name,
    ...(podCIDRs.length > 0 ? { podCIDRs: [...podCIDRs] } : {}),
  }));
  if (mistakes.length > 0) throw new ClusterFileError(mistakes);
  const unfit: string[] = [];
  checkPodCIDRs(
    { clusterCIDR: [...cluster.clusterCIDRs], nodes: listed },
    (node, _at, message) => unfit.push(`${nodes[node]?.name}: ${message}`),
  );
  const mistake = unfit.length > 0 ? undefined : mistakeInSplit(merged);
  if (mistake !== undefined) unfit.push(mistake);
  if (unfit.length === 0) return merged;
  if (dropUnfit) return cluster;
  throw new ClusterFileError([
    ...unfit.map((what) => `${path}: ${what} (${cluster.file})`),
    `what to do: write back what ${cluster.file} had, for ${
      moveWords(cluster)
    }`,
  ]);
}

function parsePodCIDRs(
  content: string,
  wrong: (what: string) => void,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    wrong("not JSON");
    return found;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    wrong(
      'expected podCIDRs by node name, e.g. {"worker-1": ["10.244.1.0/24"]}',
    );
    return found;
  }
  for (const [name, podCIDRs] of Object.entries(value)) {
    const texts = readPodCIDRs(podCIDRs, (what) => wrong(`${name}: ${what}`));
    if (texts !== undefined) found.set(name, texts);
  }
  return found;
}

function readPodCIDRs(
  value: unknown,
  wrong: (what: string) => void,
): string[] | undefined {
  if (!Array.isArray(value)) {
    wrong("expected a list of podCIDRs");
    return undefined;
  }
  const texts = value.map((element) =>
    podCIDR.read(element, [], {
      value,
      wrong: (_path, message) => wrong(message),
      mistakes: () => [],
    })
  );
  return texts.every((text) => text !== undefined) ? texts : undefined;
}
