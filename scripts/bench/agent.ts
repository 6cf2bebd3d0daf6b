/**
 * An agent in a cluster of 1,000 and of 5,000 nodes, started as the image starts it, at work on
 * a node of a lab: its memory, the time to a plan that is applied, its requests.
 */
import type { BenchPart, Measured } from "../../lib/dev/bench_report.ts";
import { loadCluster } from "../../lib/cluster/load.ts";
import { cmd, ending, succeeded } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { run } from "../../lib/exec/run.ts";
import { layPlugin, layProgram } from "../../lib/image/payload.ts";
import { labNode } from "../../lib/lab/node.ts";
import type { Node } from "../../lib/node/node.ts";
import { BenchError } from "./lab.ts";
import { manyNodes } from "./many_nodes.ts";
import { patience_ms, type Started, started } from "./started.ts";

const sizes = [1000, 5000];

/** How many nodes join at once. */
const joining = 100;

/** Measures; touches nothing beyond a lab of its own. */
export async function benchAgent(): Promise<BenchPart> {
  const folder = await Deno.makeTempDir({ prefix: "deno-cni-bench-" });
  const rows: Measured[] = [];
  try {
    const program = await layOut(folder);
    for (const size of sizes) {
      rows.push(...await measured(folder, program, size));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  return {
    title: "An agent at work in a large cluster, as the image starts it",
    rows,
    notes: [
      "memory is that of its processes together: Deno, ip monitor, nft monitor",
      "the API server is the bench's own; its Nodes have 50 images each, some 10 kB",
    ],
  };
}

/** What starts an agent in the image, with paths of the bench's own. */
async function layOut(folder: string): Promise<readonly string[]> {
  const home = `${folder}/agent`;
  await Deno.mkdir(home);
  await Deno.mkdir(`${folder}/work`);
  await layProgram(projectRoot, home);
  await layPlugin(projectRoot, `${folder}/work`, home);
  // A file of its own: pages that it shares with other processes would not all count.
  await Deno.copyFile(await Deno.realPath(Deno.execPath()), `${folder}/deno`);
  await Deno.chmod(`${folder}/deno`, 0o755);
  const image = await Deno.readTextFile(
    `${projectRoot}/config/kubernetes/Containerfile`,
  );
  const [, entrypoint = "[]"] = /^ENTRYPOINT (.*)$/m.exec(image) ?? [];
  const [, ...flags]: string[] = JSON.parse(entrypoint);
  const [, variables = ""] = /^ENV (.*)$/m.exec(image) ?? [];
  return [
    ...["env", "-i", ...variables.split(" ")],
    ...[`${folder}/deno`, ...flags.slice(0, -1), `${home}/agent.js`],
  ];
}

async function measured(
  folder: string,
  program: readonly string[],
  size: number,
): Promise<Measured[]> {
  const file = `${folder}/agent-bench.yaml`;
  await Deno.writeTextFile(file, manyNodes("agent-bench", "lab", "host", 1));
  const stateRoot = `${folder}/state`;
  const script = async (name: string) => {
    const outcome = await run(
      cmd`${Deno.execPath()} run -A --no-check ${projectRoot}/scripts/${name}.ts --cluster ${file}`,
      { env: { ...Deno.env.toObject(), DENO_CNI_STATE: stateRoot } },
    );
    if (!succeeded(outcome)) {
      throw new BenchError(`${name}: ${ending(outcome)}: ${outcome.stderr}`);
    }
  };
  try {
    await script("01-provision");
    const node = labNode(await loadCluster(file, { stateRoot }), "node-0");
    return await onNode(folder, program, node, size);
  } finally {
    await script("down");
  }
}

async function onNode(
  folder: string,
  program: readonly string[],
  node: Node,
  size: number,
): Promise<Measured[]> {
  const helper = `${projectRoot}/scripts/bench/agent_api.ts`;
  const api = started(
    node.enter(
      cmd`${Deno.execPath()} run -A --no-check ${helper} ${size}`,
    ),
  );
  const { url } = JSON.parse(await api.line(/url/));
  await Deno.writeTextFile(`${folder}/kubeconfig`, kubeconfig(url));
  await Deno.writeTextFile(
    `${folder}/cluster.yaml`,
    "provider: lab\nclusterCIDR: 10.128.0.0/9\nroutes: host\n",
  );
  // The node's root is seen at a folder, as in the agent's pod.
  const host = 'mkdir -p /run/host; mount --rbind / /run/host; exec "$@"';
  const given = [
    ...["--host-root", "/run/host", "--config", `${folder}/cluster.yaml`],
    ...["--kubeconfig", `${folder}/kubeconfig`],
  ];
  const agent = started(node.enter(
    cmd`sh -c ${host} agent ${program} run --node node-0 ${given}`,
  ));
  const listed = timeOf(await agent.line(/the API server answers/));
  const made = timeOf(await agent.line(/: made \d+|made \d+, repaired/));
  const atList = await asked(api, joining);
  const before = Date.now();
  const later = timeOf(await agent.line(new RegExp(`made ${joining},`)));
  const clean_ms = await cleanRun(node);
  const joined = await asked(api, 0);
  const memory_MB = pss_MB(agent.pid);
  await agent.stop();
  await api.stop();
  return rowsOf(size, {
    apply_s: (made - listed) / 1000,
    late_ms: later - before,
    clean_ms,
    memory_MB,
    atList: atList.length,
    joined: joined.length,
    watch_s: atList.flatMap(({ timeout_s }) => timeout_s ?? []).at(-1) ?? NaN,
  });
}

interface Figures {
  readonly apply_s: number;
  readonly late_ms: number;
  readonly clean_ms: number;
  readonly memory_MB: number;
  readonly atList: number;
  readonly joined: number;
  readonly watch_s: number;
}

function rowsOf(size: number, figures: Figures): Measured[] {
  const { apply_s, late_ms, clean_ms, memory_MB, atList, joined } = figures;
  return [
    {
      what: `${size} nodes: memory of an agent (PSS)`,
      ours: memory_MB,
      unit: "MB",
      atMost: { of: "value", limit: 80 },
    },
    {
      what: `${size} nodes: from the list to the last of its routes`,
      ours: apply_s,
      unit: "s",
    },
    {
      what: `${size} nodes: a run that finds nothing to do`,
      ours: clean_ms,
      unit: "ms",
    },
    {
      what: `${size} nodes: requests of an agent that begins`,
      ours: atList,
      unit: "requests",
    },
    {
      what: `${size} nodes: requests a minute of all agents at rest`,
      ours: size * 60 / figures.watch_s,
      unit: "requests",
    },
    {
      what: `${size} nodes: requests of an agent while ${joining} join at once`,
      ours: joined,
      unit: "requests",
      atMost: { of: "value", limit: 1 },
    },
    {
      what: `${size} nodes: from ${joining} that join to the routes to them`,
      ours: late_ms,
      unit: "ms",
    },
  ];
}

/** How long the last run took, once one has found nothing to do. */
async function cleanRun(node: Node): Promise<number> {
  const end_ms = Date.now() + patience_ms;
  while (Date.now() < end_ms) {
    const { stdout } = await node.run(cmd`cat /run/deno-cni/agent.json`);
    const { lastRun } = JSON.parse(stdout || "{}");
    if (lastRun?.outcome === "clean") return lastRun.took_ms;
    // What it changed itself, the kernel tells of: another run comes by itself.
    await new Promise((go) => setTimeout(go, 1000));
  }
  throw new BenchError("the agent had no run that found nothing to do");
}

interface Request {
  readonly what: string;
  readonly timeout_s?: number;
}

/** What was asked since the last time; then so many nodes join. */
async function asked(api: Started, join: number): Promise<readonly Request[]> {
  await api.write(`${join}\n`);
  return JSON.parse(await api.line(/requests/)).requests;
}

function timeOf(line: string): number {
  return Date.parse(line.split(" ", 1)[0] ?? "");
}

/** Of a process and its children, in MB. */
function pss_MB(pid: number): number {
  const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  const pids = [pid, ...children.split(" ").filter(Boolean).map(Number)];
  const kB = pids.map((one) => {
    const text = Deno.readTextFileSync(`/proc/${one}/smaps_rollup`);
    return Number(/^Pss:\s+(\d+) kB$/m.exec(text)?.[1]);
  });
  return kB.reduce((sum, one) => sum + one, 0) * 1024 / 1e6;
}

function kubeconfig(server: string): string {
  return `apiVersion: v1
kind: Config
current-context: bench
contexts: [{name: bench, context: {cluster: bench, user: bench}}]
clusters: [{name: bench, cluster: {server: "${server}"}}]
users: [{name: bench, user: {token: none}}]
`;
}
