// @ts-types="../std/assert.d.ts"
import { assert, assertEquals } from "@std/assert";
import { cmd } from "../exec/command.ts";
import { run } from "../exec/run.ts";
import { besideNftables } from "./beside_nftables.ts";

const rule = cmd`-d 10.244.0.0/16 -m comment --comment deno-cni -j ACCEPT`.argv;
const check = cmd`iptables -w -t filter -C FORWARD ${rule}`;
const step = besideNftables(
  { why: "pods", run: cmd`iptables -w -t filter -I FORWARD ${rule}` },
  check,
);

function read(code: number, stdout: string, stderr = "") {
  assert(step.doneWhen);
  return step.doneWhen.read({ code, stdout, stderr });
}

const none =
  "iptables: Bad rule (does a matching rule exist in that chain?).\n";
const own = `-A FORWARD ${rule.join(" ")}\n`;

Deno.test("a rule goes into FORWARD where that chain may drop, and nowhere else", () => {
  const dropping = "-P FORWARD DROP\n";
  const jumping = "-P FORWARD ACCEPT\n-A FORWARD -j DOCKER-USER\n";
  const open = "-P FORWARD ACCEPT\n";
  assertEquals(read(1, dropping, none), { is: "absent" });
  assertEquals(read(0, dropping + own), { is: "present", ours: true });
  assertEquals(read(1, jumping, none), { is: "absent" });
  assertEquals(read(1, open, none), { is: "unneeded", ours: false });
  assertEquals(read(0, open + own), { is: "unneeded", ours: true });
  assertEquals(read(46, ""), { is: "unneeded", ours: false });
  assertEquals(read(4, "", "Permission denied").is, "unknown");
});

Deno.test("without iptables nothing is asked of it, now and at boot", async () => {
  const folder = await Deno.makeTempDir();
  for (const name of ["sh", "grep"]) {
    await Deno.symlink(`/bin/${name}`, `${folder}/${name}`);
  }
  const env = { PATH: folder };
  assert(step.doneWhen && step.atBoot);
  assertEquals((await run(step.doneWhen.ask, { env })).code, 46);
  const boot = await run(step.atBoot, { env });
  assertEquals([boot.code, boot.stdout + boot.stderr], [0, ""]);
  await Deno.remove(folder, { recursive: true });
});
