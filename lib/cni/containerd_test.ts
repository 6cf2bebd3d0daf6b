// @ts-types="../std/assert.d.ts"
import { assertEquals } from "@std/assert";
import { labCluster } from "../cluster/cluster_testing.ts";
import { containerOn, containersPossible, readRuntime } from "./containerd.ts";
import type { Answer } from "../stage/stage.ts";

const cluster = labCluster({ name: "lab", stateDir: "/state/lab" });

function answer(stdout: string, of = cluster): Answer | undefined {
  return containersPossible(of).doneWhen?.read({ code: 0, stdout, stderr: "" });
}

const version =
  "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1\n";

Deno.test("containers are possible as root, with all programs", () => {
  assertEquals(answer(version), { is: "present" });
});

Deno.test("containers without root are refused, whatever is installed", () => {
  assertEquals(answer(`user\nmissing runc:runc\n${version}`), {
    is: "different",
    found: "containers on a lab's nodes (runtime: containerd) want root",
    remedy:
      "make down, then sudo make up; or go without containers (RUNTIME=none)",
  });
});

Deno.test("programs that are missing are named, with the packages that bring them", () => {
  assertEquals(
    answer(
      "missing containerd:containerd\nmissing ctr:containerd\nmissing runc:runc\n",
    ),
    {
      is: "different",
      found: "containerd, ctr, runc: not installed on this machine",
      remedy: "apt-get install containerd runc",
    },
  );
});

Deno.test("containerd 1 is refused with CNI 1.1.0, which it does not know; containerd 2 is not", () => {
  const newer = { ...cluster, cniVersion: "1.1.0" } as const;
  assertEquals(answer(version, newer), {
    is: "different",
    found: "containerd 1.6.20 does not know CNI 1.1.0",
    remedy: "set cniVersion: 1.0.0 in config/lab.yaml",
  });
  const two = "containerd github.com/containerd/containerd/v2 v2.1.4 75cb2b7\n";
  assertEquals(answer(two, newer), { is: "present" });
});

Deno.test("a question that was not answered leaves nobody the wiser", () => {
  const outcome = { code: 2, stdout: "", stderr: "sh: syntax error" };
  assertEquals(containersPossible(cluster).doneWhen?.read(outcome), {
    is: "unknown",
    reason: "cannot tell what is installed: exit code 2: sh: syntax error",
  });
});

Deno.test("only containers that run are listed, and none where there is no runtime", () => {
  assertEquals(readRuntime("\n"), undefined);
  assertEquals(
    readRuntime(
      "lab-1/worker-1\nTASK     PID      STATUS    \n" +
        "web      1      RUNNING\nshell    2      STOPPED\n",
    ),
    { machine: "lab-1/worker-1", running: ["web"] },
  );
  assertEquals(readRuntime("lab-1/worker-1\nTASK    PID    STATUS    \n"), {
    machine: "lab-1/worker-1",
    running: [],
  });
  // ctr could not ask, and said so on stderr.
  assertEquals(readRuntime("lab-1/worker-1\n"), {
    machine: "lab-1/worker-1",
    running: undefined,
  });
});

Deno.test("a container's control group is at the top level, named after lab and node", () => {
  assertEquals(containerOn("lab-1/worker-1", "web"), {
    id: "web",
    cgroup: "/deno-cni-lab-1-worker-1-web",
  });
});
