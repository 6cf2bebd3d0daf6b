/** What stages 01 and 08 plan for a cloud. */
// @ts-types="../../lib/std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
// @ts-types="../../lib/std/assert.d.ts"
import {
  assert,
  assertEquals,
  assertMatch,
  assertStringIncludes,
} from "@std/assert";
import { type Cluster } from "../../lib/cluster/cluster.ts";
import { usualVxlan } from "../../lib/cluster/schema_vxlan.ts";
import { tunnelMtu } from "../../lib/cluster/tunnels.ts";
import { paste, show } from "../../lib/exec/command.ts";
import { type Step, undoOf } from "../../lib/stage/stage.ts";
import { provision } from "../01-provision.ts";
import { routes } from "../08-routes.ts";
import { operatorSteps, plannedCluster } from "./clouds_planned_testing.ts";
import { projectRoot } from "../../lib/exec/project_root.ts";

const aws = await plannedCluster("aws");
const gcp = await plannedCluster("gcp");

/** Paths of this machine are not part of what is planned. */
function lines(steps: readonly Step[]): string {
  const text = steps.map(({ why, run, doneWhen, ...step }) => {
    assert(!("copy" in run));
    const undo = undoOf(step);
    return [
      `# ${why}`,
      ...(doneWhen?.prepares === undefined
        ? []
        : [paste(doneWhen.prepares.run)]),
      paste(run),
      ...(undo === undefined ? [] : [`# undo: ${show(undo)}`]),
    ].join("\n");
  }).join("\n");
  // Deno may lie in the project: in .tools/.
  return text.replaceAll(Deno.execPath(), "deno")
    .replaceAll(projectRoot, "PROJECT");
}

for (const [name, cluster] of Object.entries({ aws, gcp })) {
  Deno.test(`01-provision plans these commands on ${name}`, async (context) => {
    await assertSnapshot(
      context,
      lines(provision.operator?.steps(cluster) ?? []),
    );
  });

  Deno.test(`08-routes plans these commands for ${name}'s router, and none for the nodes`, async (context) => {
    const [node] = cluster.nodes;
    assert(node);
    assertEquals(routes.steps?.({ cluster, node }), []);
    await assertSnapshot(context, lines(routes.operator?.steps(cluster) ?? []));
  });
}

Deno.test("with routes: host on AWS the nodes keep the routes, and its router none", () => {
  const [node] = aws.nodes;
  assert(node);
  const cluster: Cluster = { ...aws, routes: "host" };
  assertEquals(routes.operator?.steps(cluster), []);
  const gists = routes.steps?.({ cluster, node }).map(({ run }) =>
    "argv" in run ? run.argv[1] : ""
  );
  assertEquals(gists?.filter((word) => word === "route").length, 2);
});

/** What stage 01 runs on the operator's machine, in a line each. */
function making(cluster: Cluster): string {
  return (provision.operator?.steps(cluster) ?? []).flatMap(({ run }) =>
    "argv" in run ? [`${run.argv.join(" ")} ${run.stdin ?? ""}`] : []
  ).join("\n");
}

Deno.test("a cloud lets pods' addresses pass where packets bear them, not where tunnels are around them, and all else between the nodes", () => {
  const vxlan = { ...usualVxlan, direct: false };
  const forwards = /--can-ip-forward|10\.244\.0\.0\/16/;
  assert(forwards.test(making(gcp)));
  const tunnels = making({ ...gcp, routes: "vxlan", vxlan: usualVxlan });
  assert(!forwards.test(tunnels), tunnels);
  assertMatch(tunnels, /--allow=all --source-ranges=10\.0\.1\.0\/24 /);
  for (const cluster of [aws, { ...aws, vxlan: usualVxlan }] as const) {
    assertStringIncludes(making(cluster), '"pods_bare": true');
  }
  assertStringIncludes(
    making({ ...aws, routes: "vxlan", vxlan }),
    '"pods_bare": false',
  );
});

Deno.test("on AWS a router that is no node may speak BGP with the nodes", () => {
  const bgp = { as: 64_512, peers: [{ address: "10.0.1.2", as: 64_513 }] };
  const made = making({ ...aws, routes: "bgp", bgp });
  assertMatch(made, /"bgp_peers": \[\s*"10\.0\.1\.2"\s*\]/);
  assertStringIncludes(making(aws), '"bgp_peers": []');
});

Deno.test("GCP's networks leave the tunnels less, unless the cluster file says otherwise", () => {
  assertEquals(tunnelMtu({ ...gcp, vxlan: usualVxlan }), 1410);
  assertEquals(
    tunnelMtu({ ...gcp, vxlan: { ...usualVxlan, mtu: 1500 } }),
    1450,
  );
  assertEquals(tunnelMtu({ ...aws, vxlan: usualVxlan }), 1450);
});

Deno.test("no planned command for a cloud bears a secret, and no key is in an argument", () => {
  for (const cluster of [aws, gcp]) {
    for (const { run, doneWhen, undo } of operatorSteps(cluster)) {
      const text = JSON.stringify([run, doneWhen, undo]);
      assert(
        !/access_key|secret|token|PRIVATE KEY|ssh-ed25519/i.test(text),
        text,
      );
    }
  }
});
