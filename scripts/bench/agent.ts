/** An agent in a cluster of 1,000 and of 5,000 nodes: memory, time to a plan, requests. */
import {
  type TestApiServer,
  testApiServer,
  testNode,
} from "../../lib/apiserver/api_server_testing.ts";
import type { BenchPart } from "../../lib/dev/bench_report.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { BenchError } from "./lab.ts";

const sizes = [1000, 5000];

/** As the image starts the agent: V8 keeps less of what is no longer needed. */
const sparing = "--v8-flags=--optimize-for-size,--max-semi-space-size=1";

/** How many nodes join at once. */
const joining = 100;

/** A Node object is some 10 kB, most of it the list of images that the kubelet has. */
const images = Array.from({ length: 50 }, (_, at) => ({
  names: [
    `registry.example.org/team/image-${at}@sha256:${
      "0123456789abcdef".repeat(4)
    }`,
    `registry.example.org/team/image-${at}:v1.${at}`,
  ],
  sizeBytes: 12_345_678,
}));

function join(api: TestApiServer, at: number): void {
  const address = `172.16.${at >> 8}.${at & 255}`;
  const node = testNode(
    `node-${at}`,
    address,
    `10.${at >> 8}.${at & 255}.0/24`,
  );
  api.put({ ...node, status: { ...node.status, images } });
}

/** Measures; touches no machine. */
export async function benchAgent(): Promise<BenchPart> {
  const rows: BenchPart["rows"][number][] = [];
  for (const size of sizes) {
    const { plan_ms, requests, late_ms, pss_MB, joined } = await one(size);
    rows.push(
      {
        what: `${size} nodes: memory of an agent (PSS)`,
        ours: pss_MB,
        unit: "MB",
        atMost: { of: "value", limit: 80 },
      },
      {
        what: `${size} nodes: from the list to the plan`,
        ours: plan_ms / 1000,
        unit: "s",
      },
      {
        what: `${size} nodes: requests of a list`,
        ours: requests,
        unit: "requests",
      },
      {
        what: `${size} nodes: requests while ${joining} join at once`,
        ours: joined,
        unit: "requests",
        atMost: { of: "value", limit: 1 },
      },
      {
        what: `${size} nodes: from the last that joined to the plan`,
        ours: late_ms,
        unit: "ms",
      },
    );
  }
  return {
    title:
      "An agent in a large cluster, against an API server of the bench's own",
    rows,
    notes: [
      "at rest, an agent sends a request every 5 to 10 minutes: its watch ends",
    ],
  };
}

interface Figures {
  readonly plan_ms: number;
  readonly requests: number;
  readonly late_ms: number;
  readonly pss_MB: number;
  /** Requests while nodes joined. */
  readonly joined: number;
}

async function one(size: number): Promise<Figures> {
  await using api = testApiServer();
  for (let at = 0; at < size; at++) join(api, at);
  const program = `${projectRoot}/scripts/bench/agent_node.ts`;
  const args = [api.url, "node-0", `${size}`, `${size + joining}`];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", sparing, program, ...args],
    stdout: "piped",
  }).spawn();
  const said: Record<string, number>[] = [];
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      said.push(JSON.parse(line));
      if (said.length === 1) {
        for (let at = size; at < size + joining; at++) join(api, at);
      }
    }
  }
  const [first, second] = said;
  if (
    !(await child.status).success || first === undefined || second === undefined
  ) {
    throw new BenchError("the agent of the bench failed; see above");
  }
  return {
    plan_ms: first.plan_ms ?? NaN,
    requests: first.requests ?? NaN,
    late_ms: second.late_ms ?? NaN,
    pss_MB: second.pss_MB ?? NaN,
    joined: second.requests ?? NaN,
  };
}
