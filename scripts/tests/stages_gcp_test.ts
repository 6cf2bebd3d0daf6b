/** How stages 01 and 08 read what gcloud says. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Outcome } from "../../lib/exec/command.ts";
import {
  answer,
  notThere,
  plannedCluster,
  reason,
} from "./clouds_planned_testing.ts";

const gcp = await plannedCluster("gcp");

Deno.test("a missing gcloud is told with where to get it", () => {
  assertStringIncludes(
    reason(answer(gcp, "who asks", notThere)),
    "gcloud is missing on this machine: install it, https://",
  );
});

Deno.test("a missing account and a missing project are told with the ways to give them", () => {
  // What gcloud 528 prints, recorded.
  const call = "ERROR: (gcloud.compute.project-info.describe) ";
  const said = (stderr: string) =>
    reason(answer(gcp, "who asks", { code: 1, stderr: call + stderr }));
  assertStringIncludes(
    said(
      "You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n",
    ),
    "gcloud wants an account: gcloud auth login",
  );
  assertStringIncludes(
    said("The required property [project] is not currently set."),
    "the key gcp.project of the cluster file",
  );
});

const missing = (what: string) => ({
  code: 1,
  stderr:
    `ERROR: (gcloud.compute.x.describe) Could not fetch resource:\n - The resource 'projects/p/${what}' was not found\n`,
});

Deno.test("a thing in GCP is ours by its description, absent by its own name alone, else unknown", () => {
  const network = (outcome: Partial<Outcome>) =>
    answer(gcp, "A network of the cluster's own", outcome);
  assertEquals(network({ stdout: '{"description":"deno-cni gcp"}' }), {
    is: "present",
    ours: true,
  });
  assertEquals(network(missing("global/networks/gcp")), { is: "absent" });
  const other = network({ stdout: '{"name":"gcp"}' });
  assert(other.is === "different", other.is);
  assertStringIncludes(other.found, "this tool did not make it");
  for (
    const outcome of [
      missing("global/networks/another"),
      { code: 1, stderr: "ERROR: Required 'compute.networks.get' permission" },
      { stdout: "" },
      notThere,
    ]
  ) {
    assertEquals(network(outcome).is, "unknown");
  }
});

Deno.test("a machine of GCP's that is not as the cluster file has it is told, not replaced", () => {
  const instance = {
    description: "deno-cni gcp",
    machineType: "https://x/machineTypes/e2-small",
    canIpForward: true,
    networkInterfaces: [{ networkIP: "10.0.1.11" }],
  };
  const machine = (more: object) =>
    answer(gcp, "A machine for worker-1", {
      stdout: JSON.stringify({ ...instance, ...more }),
    });
  assertEquals(machine({}), { is: "present", ours: true });
  for (
    const [more, what] of [
      [
        { machineType: "https://x/machineTypes/n2-standard-2" },
        "of type n2-standard-2, not e2-small",
      ],
      [{ canIpForward: false }, "without --can-ip-forward"],
      [
        { networkInterfaces: [{ networkIP: "10.0.1.7" }] },
        "its address is 10.0.1.7, not 10.0.1.11",
      ],
    ] as const
  ) {
    const given = machine(more);
    assert(given.is === "different", given.is);
    assertStringIncludes(given.found, what);
  }
  assertEquals(
    answer(gcp, "worker-1 runs", { stdout: '{"status":"TERMINATED"}' }),
    { is: "absent" },
  );
  assertEquals(
    answer(gcp, "worker-1 runs", { stdout: '{"status":"RUNNING"}' }),
    { is: "present" },
  );
});

Deno.test("a firewall rule of GCP's is updated where the operator's address is another by now", () => {
  const rule = (stdout: string) =>
    answer(gcp, "nobody else, by ssh: also", { stdout });
  assertEquals(rule('198.51.100.7/32\n{"sourceRanges":["198.51.100.7/32"]}'), {
    is: "present",
  });
  assertEquals(rule('198.51.100.8/32\n{"sourceRanges":["198.51.100.7/32"]}'), {
    is: "absent",
  });
  assertEquals(rule('\n{"sourceRanges":["198.51.100.7/32"]}').is, "unknown");
});

Deno.test("a route of GCP's leads where it should, or is made anew; what a project may have is checked", () => {
  const route = (destRange: string, nextHopIp: string) =>
    answer(gcp, "pods of worker-1 to its machine", {
      stdout: JSON.stringify({
        description: "deno-cni gcp",
        destRange,
        nextHopIp,
      }),
    });
  assertEquals(route("10.244.1.0/24", "10.0.1.11"), {
    is: "present",
    ours: true,
  });
  assertEquals(route("10.244.1.0/24", "10.0.1.12"), { is: "absent" });
  assertEquals(
    answer(
      gcp,
      "pods of worker-1 to its machine",
      missing("global/routes/gcp-worker-1"),
    ),
    { is: "absent" },
  );
  const limit = (stdout: string) =>
    answer(gcp, "A project has only so many", { stdout });
  assertEquals(limit("250.0,249.0,3\n"), { is: "present" });
  assertEquals(limit(",,0\n"), { is: "present" });
  const full = limit("250.0,248.0,0\n");
  assert(full.is === "different", full.is);
  assertStringIncludes(
    full.found,
    "3 podCIDRs and 248 other routes make 251, and the project may have 250",
  );
  assertEquals(limit("nonsense").is, "unknown");
});
