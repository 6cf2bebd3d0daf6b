// @ts-types="../std/assert.d.ts"
import { assertEquals, assertMatch } from "@std/assert";
import type { Agent } from "./agent.ts";
import { serveHealth, serveMetrics } from "./listeners.ts";
import type { AgentStatus } from "./status_file.ts";

const status: AgentStatus = {
  version: "1.2.3",
  node: "one",
  pid: 7,
  started: "2026-01-01T00:00:00.000Z",
  runs: 12,
  repaired: 5,
  problems: [],
  nodes: 3,
  api: {
    server: "https://10.96.0.1",
    isReachable: true,
    since: "2026-01-01T00:00:01.000Z",
    requests: 9,
  },
};

const lastRun = (outcome: "clean" | "changed" | "failed") => ({
  lastRun: {
    at: "2026-01-01T00:00:02.000Z",
    took_ms: 1500,
    outcome,
    why: ["it was time"],
  },
});

/** A port that nothing listens on. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** What a page says of an agent that is as told. */
async function page(
  path: string,
  more: Partial<AgentStatus>,
  busy_ms = 0,
): Promise<string> {
  const agent: Agent = {
    status: () => ({ ...status, ...more }),
    busy_ms: () => busy_ms,
    stop: () => Promise.resolve(),
  };
  const at = { hostname: "127.0.0.1", port: freePort() };
  const serve = path === "/metrics" ? serveMetrics : serveHealth;
  await using _server = serve(agent, at);
  const response = await fetch(`http://${at.hostname}:${at.port}${path}`);
  return `${response.status} ${await response.text()}`;
}

Deno.test("an agent is ready when its last run was clean, whatever the API server does", async () => {
  const ready = (more: Partial<AgentStatus>) => page("/readyz", more);
  assertEquals(await ready({}), "503 there was no run yet\n");
  assertEquals(await ready(lastRun("clean")), "200 ok\n");
  assertEquals(await ready(lastRun("changed")), "200 ok\n");
  const failed = { ...lastRun("failed"), problems: ["04-bridge: refused"] };
  assertEquals(await ready(failed), "503 04-bridge: refused\n");
  const alone = {
    ...lastRun("clean"),
    api: { ...status.api, isReachable: false },
  };
  assertEquals(await ready(alone), "200 ok\n");
});

Deno.test("an agent lives until a run has gone on for a quarter of an hour", async () => {
  assertEquals(await page("/healthz", {}), "200 ok\n");
  assertEquals(await page("/healthz", {}, 600_000), "200 ok\n");
  assertEquals(
    await page("/healthz", {}, 901_000),
    "503 a run has gone on for 901 s\n",
  );
  assertMatch(await page("/other", {}), /^404 /);
});

Deno.test("the metrics have each figure once, with its kind and what it is", async () => {
  const failed = { ...lastRun("changed"), problems: ["x"] };
  const text = (await page("/metrics", failed)).replace(/^200 /, "");
  const figures = text.split("\n").filter((line) =>
    /^deno_cni_agent_/.test(line)
  );
  assertEquals(figures, [
    'deno_cni_agent_info{version="1.2.3"} 1',
    "deno_cni_agent_runs_total 12",
    "deno_cni_agent_repaired_total 5",
    "deno_cni_agent_problems 1",
    "deno_cni_agent_nodes 3",
    "deno_cni_agent_api_reachable 1",
    "deno_cni_agent_api_requests_total 9",
    "deno_cni_agent_last_run_timestamp_seconds 1767225602",
    "deno_cni_agent_last_run_duration_seconds 1.5",
  ]);
  for (const [name = ""] of figures.map((line) => line.split(/[ {]/))) {
    assertMatch(text, new RegExp(`^# HELP ${name} .+\\.$`, "m"));
    assertMatch(text, new RegExp(`^# TYPE ${name} (counter|gauge)$`, "m"));
  }
});
