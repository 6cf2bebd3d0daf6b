/** A lab that the stages made, handed over to agents and taken back. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { agentsOf } from "../../lib/agent/lab_agents.ts";
import { cmd } from "../../lib/exec/command.ts";
import type { TestLab } from "./lab_testing.ts";
import { done } from "./stages_testing.ts";

/** What a lab's agents say when it is handed over, and whether that went well. */
async function install(lab: TestLab): Promise<{ code?: number; text: string }> {
  const { code, stdout, stderr } = await lab.script("agent", "--install");
  return { code: code ?? -1, text: stdout + stderr };
}

/** What the stages made is the agents', with all that can get in the way, and the stages' again. */
export async function handedOver(lab: TestLab): Promise<void> {
  done(await lab.script("up", "-q"));
  const address = await lab.on(
    "worker-2",
    cmd`ip -n web -4 -o addr show dev eth0`,
  );
  const [, web = ""] = /inet ([\d.]+)/.exec(address) ?? [];
  const ping = `ip netns exec shell ping -i 0.05 -w 300 ${web}`;
  const pinging = lab.node("worker-1").run(
    cmd`sh -c ${`${ping} & echo $! >/run/ping.pid; wait $!`}`,
    { timeout_ms: 310_000 },
  );

  // One node has something of others: the agents tell of it, and go on trying.
  const foreign = "ip link del cni0; ip link add cni0 type bridge; " +
    "ip link set cni0 alias others";
  await lab.on("master", cmd`sh -euc ${foreign}`);
  const refused = await install(lab);
  assertEquals(refused.code, 1, refused.text);
  assertStringIncludes(
    refused.text,
    "cni0 is a bridge that this tool did not make",
  );
  assertStringIncludes(
    refused.text,
    "worker-2: kept by its agent, which found all that the stages make",
  );
  const stage = await lab.script("04-bridge");
  assertEquals(stage.code, 1, stage.stdout);
  assertStringIncludes(stage.stderr, "is handed over");
  assertStringIncludes(stage.stderr, "ARGS=--take-back");

  // Half handed over, and again: also with the agents dead.
  await lab.on("master", cmd`ip link del cni0`);
  const pid = agentsOf(lab.cluster)?.pid;
  assert(pid !== undefined, refused.text);
  Deno.kill(pid, "SIGKILL");
  const again = await install(lab);
  assertEquals(again.code, 0, again.text);
  assertStringIncludes(again.text, "master: kept by its agent, which had to");
  for (const name of ["worker-1", "worker-2"]) {
    assertStringIncludes(
      again.text,
      `${name}: kept by its agent, which found all that the stages make`,
    );
  }
  assertEquals((await install(lab)).code, 0);
  await lab.on("worker-2", cmd`ip route del 10.244.0.0/24`);
  const there = "until ip route | grep -q ^10.244.0.0/24; do sleep 0.1; done";
  await lab.on("worker-2", cmd`timeout 60 sh -c ${there}`);

  done(await lab.script("agent", "--take-back"));
  done(await lab.script("agent", "--take-back"));
  assertEquals(agentsOf(lab.cluster), undefined);
  const { recap } = await lab.report("up");
  for (const [name, { changed, failed }] of Object.entries(recap)) {
    assertEquals([name, changed, failed], [name, 0, 0]);
  }
  const own = "ls /run/deno-cni /var/lib/deno-cni";
  assertEquals(
    (await lab.on("worker-1", cmd`sh -c ${own}`)).match(/^\w.*\.json$/gm),
    null,
  );
  await lab.on("worker-1", cmd`sh -c ${'kill -INT "$(cat /run/ping.pid)"'}`);
  const { stdout } = await pinging;
  const [, sent, received] =
    /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  assert(Number(sent) > 20, stdout);
  assertEquals(received, sent, stdout);
  // Without a journal, what bears the mark goes, and what is left is said.
  await lab.on("worker-2", cmd`rm /var/lib/deno-cni/journal`);
  const cleaned = await lab.script("agent", "--cleanup");
  done(cleaned);
  for (
    const said of [
      "removed the link cni0",
      "removed the route to 10.244.0.0/24",
      "removed /opt/cni/bin/deno-cni",
      "removed /run/deno-cni/networks/deno-cni",
      "left net.ipv4.ip_forward = 1",
      "nothing of deno-cni is left",
    ]
  ) assertStringIncludes(cleaned.stdout, `worker-2: ${said}`);
  const marked =
    "ip -br link show type bridge; ip route show proto 244; iptables-save; ls -R /etc/cni /opt/cni";
  const left = await lab.on("worker-2", cmd`sh -c ${marked}`);
  assertEquals(/deno-cni|proto 244/.exec(left), null, left);
}
