/** The agent's pages: whether it lives, whether its last run was clean, and its figures. */
import type { Agent } from "./agent.ts";
import type { AgentStatus } from "./status_file.ts";

/** A run over 5,000 nodes takes minutes; one that takes longer than this is stuck. */
const longestRun_ms = 900_000;

/** Where a page is served. */
interface ListenAddress {
  readonly hostname: string;
  readonly port: number;
}

/** Serves /healthz and /readyz. */
export function serveHealth(
  agent: Agent,
  { hostname, port }: ListenAddress,
): AsyncDisposable {
  const server = Deno.serve({ hostname, port, onListen }, (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/healthz") {
      const busy_ms = agent.busy_ms();
      const seconds = Math.round(busy_ms / 1000);
      return busy_ms > longestRun_ms
        ? answer(503, `a run has gone on for ${seconds} s\n`)
        : answer(200, "ok\n");
    }
    if (pathname !== "/readyz") return answer(404, "/healthz or /readyz\n");
    const why = notReady(agent.status());
    return why === undefined ? answer(200, "ok\n") : answer(503, `${why}\n`);
  });
  return { [Symbol.asyncDispose]: () => server.shutdown() };
}

/** Why a node is not as it should be after the last run; undefined where it is. */
function notReady(
  { lastRun, problems }: Pick<AgentStatus, "lastRun" | "problems">,
): string | undefined {
  if (lastRun === undefined) return "there was no run yet";
  return lastRun.outcome === "failed" ? problems.join("\n") : undefined;
}

/** Serves /metrics. */
export function serveMetrics(
  agent: Agent,
  { hostname, port }: ListenAddress,
): AsyncDisposable {
  const server = Deno.serve({ hostname, port, onListen }, (request) => {
    const { pathname } = new URL(request.url);
    return pathname === "/metrics"
      ? answer(200, agentMetrics(agent.status()))
      : answer(404, "/metrics\n");
  });
  return { [Symbol.asyncDispose]: () => server.shutdown() };
}

/** The status for Prometheus (text format, version 0.0.4). */
function agentMetrics(status: AgentStatus): string {
  const { version, runs, repaired, lastRun, nodes, problems, api } = status;
  const figures: readonly (readonly [
    name: string,
    kind: "counter" | "gauge",
    help: string,
    value: number,
    labels?: string,
  ])[] = [
    ["info", "gauge", "The agent's version.", 1, `{version="${version}"}`],
    ["runs_total", "counter", "Runs of stages 03 to 08.", runs],
    [
      "repaired_total",
      "counter",
      "Things of the pod network that were missing and were made again.",
      repaired,
    ],
    [
      "problems",
      "gauge",
      "What failed or was refused in the last run.",
      problems.length,
    ],
    ["nodes", "gauge", "Nodes that the agent knows.", nodes],
    [
      "api_reachable",
      "gauge",
      "Whether the API server answers.",
      api.isReachable ? 1 : 0,
    ],
    [
      "api_requests_total",
      "counter",
      "Requests sent to the API server.",
      api.requests,
    ],
    ...(lastRun === undefined ? [] : [
      [
        "last_run_timestamp_seconds",
        "gauge",
        "When the last run ended.",
        Date.parse(lastRun.at) / 1000,
      ],
      [
        "last_run_duration_seconds",
        "gauge",
        "How long the last run took.",
        lastRun.took_ms / 1000,
      ],
    ] as const),
  ];
  return figures.map(([name, kind, help, value, labels = ""]) => {
    const whole = `deno_cni_agent_${name}`;
    return `# HELP ${whole} ${help}\n# TYPE ${whole} ${kind}\n${whole}${labels} ${value}\n`;
  }).join("");
}

function onListen(): void {}

function answer(status: number, text: string): Response {
  const headers = {
    "content-type": "text/plain; version=0.0.4; charset=utf-8",
  };
  return new Response(text, { status, headers });
}
