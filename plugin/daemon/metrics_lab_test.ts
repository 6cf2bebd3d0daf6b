/** What `deno-cni metrics` and the text file for node_exporter say. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { run } from "../../lib/exec/run.ts";
import { added, config, type TestNode } from "../sandbox_testing.ts";
import { onDaemonNode, until } from "./daemon_testing.ts";

const textfile = "/run/deno-cni.prom";

/** The value of a sample; undefined where there is none. */
function sample(text: string, name: string): number | undefined {
  const line = text.split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? undefined : Number(line.slice(name.length));
}

/** Has Prometheus' own tool look at a text, where it is installed (Debian's package prometheus). */
async function isGood(text: string): Promise<void> {
  const promtool = Deno.env.get("PROMTOOL") ?? "promtool";
  const outcome = await run({ ...cmd`${promtool} check metrics`, stdin: text });
  if (outcome.ended === "no such command") return;
  assertEquals(
    [outcome.code, outcome.stdout, outcome.stderr],
    [0, "", ""],
    text,
  );
}

async function configure(node: TestNode): Promise<void> {
  // A node's /etc is the machine's own: this one is for the node.
  await node.must(cmd`mount -t tmpfs none /etc`);
  await node.must(cmd`mkdir -p /etc/cni/net.d`);
  const list = { cniVersion: "1.0.0", name: config.name, plugins: [config] };
  await node.must({
    ...cmd`tee /etc/cni/net.d/10-deno-cni.conflist`,
    stdin: JSON.stringify(list),
  });
}

onDaemonNode(
  "metrics has the calls by command and code, their seconds, the addresses and the daemon itself",
  async (node) => {
    await configure(node);
    const pod = await node.pod("p1");
    await added(node, { pod });
    await node.cni({ command: "ADD", pod });
    await node.cni({
      command: "GC",
      input: {
        ...config,
        cniVersion: "1.1.0",
        "cni.dev/valid-attachments": [],
      },
    });
    await added(node, { pod });
    const text = await node.must(cmd`${node.plugin} metrics`);
    await isGood(text);
    const of = (name: string) => sample(text, name);
    assertEquals(of(`deno_cni_calls_total{command="ADD",code="0"}`), 2);
    assertEquals(of(`deno_cni_calls_total{command="ADD",code="101"}`), 1);
    assertEquals(of(`deno_cni_calls_given_back_total{reason="gc"}`), 1);
    const seconds = "deno_cni_call_duration_seconds";
    assertEquals(of(`${seconds}_count{command="ADD"}`), 3);
    assertEquals(of(`${seconds}_bucket{command="ADD",le="+Inf"}`), 3);
    const sum = of(`${seconds}_sum{command="ADD"}`)!;
    assert(sum > 0 && sum < 3, `${sum}`);
    const subnet = `{network="deno-cni",subnet="10.244.1.0/24"}`;
    assertEquals(of(`deno_cni_addresses_used${subnet}`), 1);
    assertEquals(of(`deno_cni_addresses_free${subnet}`), 252);
    assertEquals(of("deno_cni_daemon_up"), 1);
    const memory = of("deno_cni_daemon_resident_memory_bytes")!;
    assert(memory > 10e6 && memory < 200e6, `${memory}`);
    const start = of("deno_cni_daemon_start_time_seconds")!;
    assert(Math.abs(start - Date.now() / 1000) < 60, `${start}`);
  },
);

onDaemonNode(
  "without a daemon metrics says so, and how full the subnets are",
  async (node) => {
    await configure(node);
    await added(node, { pod: await node.pod("p1") });
    await node.must(cmd`${node.plugin} daemon stop`);
    const text = await node.must(cmd`${node.plugin} metrics`);
    await isGood(text);
    assertEquals(sample(text, "deno_cni_daemon_up"), 0);
    assertStringIncludes(text, "deno_cni_addresses_used{");
  },
);

onDaemonNode(
  "the text file for node_exporter is there at once, and follows the calls",
  async (node) => {
    await configure(node);
    const file = `/proc/${node.pid}/root${textfile}`;
    const read = () => Deno.readTextFile(file).catch(() => "");
    await until("the file is there", async () => await read() !== "");
    await isGood(await read());
    await added(node, { pod: await node.pod("p1") });
    const name = `deno_cni_calls_total{command="ADD",code="0"}`;
    await until("it has the ADD", async () => sample(await read(), name) === 1);
  },
  { args: ["--textfile", textfile] },
);
