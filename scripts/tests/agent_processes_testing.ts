/** The agent as processes on a node: killed, ended, and two at one time. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../../lib/exec/command.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";
import { agentAtWork } from "../../lib/stage/agent_lock.ts";
import { readJournal } from "../../lib/stage/journal.ts";
import { type Around, hasTunnel } from "./agent_testing.ts";
import type { TestLab } from "./lab_testing.ts";

/** A process of `agent run` on worker-1, whose API server does not answer. */
function spawned(lab: TestLab, folder: string): Deno.ChildProcess {
  const { HOME = "/root", DENO_DIR = `${HOME}/.cache/deno` } = Deno.env
    .toObject();
  const flags = [
    ...["--node", "worker-1", "--config", `${folder}/network.yaml`],
    ...["--kubeconfig", `${folder}/kubeconfig.yaml`],
  ];
  const run = ["run", "-A", "--no-check", "--cached-only"];
  // Entering a node begins with an environment of the node's.
  const [program, ...args] = lab.node("worker-1").enter(
    cmd`env DENO_DIR=${DENO_DIR} ${Deno.execPath()} ${run} ${projectRoot}/scripts/agent.ts run ${flags}`,
  ).argv;
  return new Deno.Command(program, {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
}

/** Waits until the process says this; the rest of what it says is passed over. */
async function lineOf(
  { stderr }: Deno.ChildProcess,
  words: string,
): Promise<void> {
  const reader = stderr.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!said.includes(words)) {
    const { value, done } = await reader.read();
    assert(!done, said);
    said += value;
  }
  void (async () => {
    while (!(await reader.read()).done);
  })();
}

/** Killed in the middle, ended in time, and two at one time. */
export async function asProcesses({ lab }: Around): Promise<void> {
  const node = lab.node("worker-1");
  const folder = lab.file.replace(/\/[^/]*$/, "");
  const cidrs = '[10.244.0.0/16, "fd00:10:244::/56"]';
  await Deno.writeTextFile(
    `${folder}/network.yaml`,
    `provider: lab\nclusterCIDR: ${cidrs}\nroutes: auto\n`,
  );
  await Deno.writeTextFile(
    `${folder}/kubeconfig.yaml`,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
      clusters: [{ name: "k", cluster: { server: "http://127.0.0.1:1" } }],
      users: [{ name: "u", user: { token: "none" } }],
    }),
  );
  const until = async (holds: () => Promise<boolean>, what: string) => {
    const end_ms = performance.now() + 60_000;
    while (!await holds()) {
      assert(performance.now() < end_ms, `not seen: ${what}`);
      await new Promise((go) => setTimeout(go, 50));
    }
  };
  const there = (script: string) =>
    until(
      async () => (await node.run(cmd`sh -c ${script}`)).code === 0,
      script,
    );
  // In the middle of a run: the tunnel's link is there, and what comes after is not yet.
  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    await lab.on("worker-1", cmd`sh -c ${"ip link del deno.vxlan || :"}`);
    const cut = spawned(lab, folder);
    await there("ip link show deno.vxlan");
    cut.kill(signal);
    const { code } = await cut.output();
    assertEquals(code, signal === "SIGTERM" ? 0 : 137);
    await readJournal(node);
    assertEquals(await agentAtWork(node, {}), undefined);
  }
  const one = spawned(lab, folder);
  await there(
    `${hasTunnel} && grep -q '"outcome":"c' /run/deno-cni/agent.json`,
  );
  // Tunnels have taken bird's place.
  await there("! birdc -r show status");
  const two = spawned(lab, folder);
  await lineOf(two, "another agent is at work here");
  one.kill("SIGKILL");
  await one.output();
  await there(`grep -q 'process ${two.pid}$' /run/deno-cni/agent.lock`);
  two.kill("SIGINT");
  assertEquals((await two.status).code, 0);
  assertEquals(await agentAtWork(node, {}), undefined);
  const left = await node.run(cmd`cat /run/deno-cni/agent.json`);
  assertEquals(left.stdout, "", "what an agent says of itself ends with it");
}
