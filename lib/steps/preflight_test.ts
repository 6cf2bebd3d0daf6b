// @ts-types="../std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { machineStep, readPreflight } from "./preflight.ts";
import { run } from "../exec/run.ts";

const node = { name: "worker-1", address: "10.0.1.11" };
const now_ms = 1_800_000_000_000;

const sound = `kernel Linux
architecture x86_64
system ubuntu debian
system-name Ubuntu 24.04.1 LTS
has apt-get
address 127.0.0.1
address ::1
address 10.0.1.11
address fe80::1
clock 1800000003
`;

function read(stdout: string): string {
  const answer = readPreflight({ code: 0, stdout, stderr: "" }, node, now_ms);
  return answer.is === "unknown" ? answer.reason : answer.is;
}

Deno.test("a machine as it must be is present", () => {
  assertEquals(read(sound), "present");
});

Deno.test("all that is wrong with a machine is told at once", () => {
  const reason = read(
    sound.replace("x86_64", "riscv64")
      .replace("ubuntu debian", "fedora ")
      .replace("Ubuntu 24.04.1 LTS", "Fedora 40")
      .replace("has apt-get\n", "missing iptables\nmissing busybox\n")
      .replace("10.0.1.11", "192.0.2.7")
      .replace(
        "clock 1800000003",
        "lacks bridge RTNETLINK answers: Operation not supported\nclock 1800000100",
      ),
  );
  assertEquals(
    reason,
    `worker-1 cannot be a node yet, 6 things are wrong:
  - its architecture is riscv64; expected x86_64 or aarch64, for which the plugin can be built
  - it runs Fedora 40; stage 02 installs with apt: expected Debian or Ubuntu, or kubeadm, kubelet and a container runtime that are there already
  - it has no iptables, busybox: apt-get install iptables busybox-static
  - 10.0.1.11 is none of its addresses (it has 192.0.2.7): correct address in the cluster file, or ssh.host, which may lead to another machine
  - its kernel has no bridge, or does not let root use it (RTNETLINK answers: Operation not supported)
  - its clock is 100 s ahead of this machine's; expected 30 s at most: set up NTP on both (timedatectl set-ntp true)`,
  );
});

Deno.test("another system that has kubeadm, kubelet and a runtime already will do", () => {
  const there = "has kubeadm\nhas kubelet\nhas crio\n";
  assertEquals(
    read(
      sound.replace("ubuntu debian", "fedora ").replace("has apt-get\n", there),
    ),
    "present",
  );
});

Deno.test("a clock that is behind is told as such, and what is no Linux not asked further", () => {
  assertStringIncludes(
    read(sound.replace("clock 1800000003", "clock 1799999900")),
    "100 s behind this machine's",
  );
  assertStringIncludes(
    read(sound.replace("kernel Linux", "kernel FreeBSD")),
    "it runs FreeBSD; expected Linux",
  );
});

Deno.test("a survey that was cut off is unknown, never present", () => {
  const cut = sound.slice(0, sound.indexOf("clock"));
  assertStringIncludes(read(cut), "cannot tell what the machine is like");
});

Deno.test("this very machine passes but for its address (needs root)", {
  ignore: Deno.uid() !== 0,
}, async () => {
  const { doneWhen } = machineStep(node);
  assert(doneWhen);
  const outcome = await run(doneWhen.ask);
  const answer = doneWhen.read(outcome);
  assert(answer.is === "unknown", JSON.stringify(outcome));
  assertEquals(answer.reason.split("\n").length, 2, answer.reason);
  assertStringIncludes(answer.reason, "10.0.1.11 is none of its addresses");
});
