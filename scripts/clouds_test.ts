/** What stages 01 and 08 plan for a cloud, and how they read what its tools say. */
// @ts-types="../lib/std/snapshot.d.ts"
import { assertSnapshot } from "@std/testing/snapshot";
// @ts-types="../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type Cluster, parseCluster, projectRoot } from "../lib/cluster.ts";
import { splitClusterCIDR } from "../lib/cidr.ts";
import { type Outcome, paste, show } from "../lib/command.ts";
import type { Answer, Step } from "../lib/step.ts";
import { provision } from "./01-provision.ts";
import { routes } from "./08-routes.ts";

/** A cloud's cluster as its file has it, with what 01 and 02 would find out. */
async function clusterOf(cloud: "aws" | "gcp"): Promise<Cluster> {
  const file = `config/${cloud}.yaml`;
  const text = await Deno.readTextFile(`${projectRoot}/${file}`);
  const cluster = parseCluster(text, file, "/state");
  const podCIDRs = splitClusterCIDR(cluster);
  return {
    ...cluster,
    nodes: cluster.nodes.map((node, at) => ({
      ...node,
      podCIDRs: podCIDRs[node.name] ?? [],
      machine: { id: `i-${at}`, interfaceId: `eni-${at}` },
    })),
    routeTableId: "rtb-1",
  };
}

const aws = await clusterOf("aws");
const gcp = await clusterOf("gcp");

/** Paths of this machine are not part of what is planned. */
function lines(steps: readonly Step[]): string {
  const text = steps.map(({ why, run, undo, prepares }) => {
    assert(!("copy" in run) && typeof undo !== "function");
    return [
      `# ${why}`,
      ...(prepares === undefined ? [] : [paste(prepares.run)]),
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
      lines(provision.operatorSteps?.(cluster) ?? []),
    );
  });

  Deno.test(`08-routes plans these commands for ${name}'s router, and none for the nodes`, async (context) => {
    const [node] = cluster.nodes;
    assert(node);
    assertEquals(routes.steps?.({ cluster, node }), []);
    await assertSnapshot(context, lines(routes.operatorSteps?.(cluster) ?? []));
  });
}

Deno.test("with routes: host on AWS the nodes keep the routes, and its router none", () => {
  const [node] = aws.nodes;
  assert(node);
  const cluster: Cluster = { ...aws, routes: "host" };
  assertEquals(routes.operatorSteps?.(cluster), []);
  const gists = routes.steps?.({ cluster, node }).map(({ run }) =>
    "argv" in run ? run.argv[1] : ""
  );
  assertEquals(gists?.filter((word) => word === "route").length, 2);
});

/** The answer of the step whose reason has this in it. */
function answer(
  cluster: Cluster,
  why: string,
  outcome: Partial<Outcome>,
): Answer {
  const steps = [provision, routes].flatMap((stage) =>
    stage.operatorSteps?.(cluster) ?? []
  );
  const step = steps.find((step) => step.why.includes(why));
  assert(step?.unless, `no step for: ${why}`);
  return step.unless.read({ code: 0, stdout: "", stderr: "", ...outcome });
}

function reason(given: Answer): string {
  assert(given.is === "unknown", given.is);
  return given.reason;
}

const notThere: Partial<Outcome> = {
  code: undefined,
  ended: "no such command",
};

Deno.test("a missing terraform, aws or gcloud is told with where to get it", () => {
  assertStringIncludes(
    reason(answer(aws, "terraform makes", notThere)),
    "terraform is missing on this machine: install 1.9 or newer, https://",
  );
  assertStringIncludes(
    reason(answer(aws, "whose account", notThere)),
    "aws is missing on this machine: install it, https://",
  );
  assertStringIncludes(
    reason(answer(gcp, "who asks", notThere)),
    "gcloud is missing on this machine: install it, https://",
  );
});

Deno.test("a terraform that is too old is told with the version", () => {
  const version = (terraform_version: string) =>
    answer(aws, "terraform makes", {
      stdout: JSON.stringify({ terraform_version }),
    });
  assertEquals(version("1.8.5"), {
    is: "unknown",
    reason: "terraform is 1.8.5; expected 1.9 or newer",
  });
  for (const good of ["1.9.0", "1.11.4", "2.0.0-beta1"]) {
    assertEquals(version(good).is, "present", good);
  }
  assertEquals(
    answer(aws, "terraform makes", { stdout: "Terraform v0.11" }).is,
    "unknown",
  );
});

// What the tools print, recorded: aws 1.45 and 2.x, gcloud 528.
const noAwsCredentials =
  'Unable to locate credentials. You can configure credentials by running "aws configure".';
const noAccount =
  "ERROR: (gcloud.compute.project-info.describe) You do not currently have an active account selected.\nPlease run:\n\n  $ gcloud auth login\n";
const noProject =
  "ERROR: (gcloud.compute.project-info.describe) The required property [project] is not currently set.";

Deno.test("missing credentials are told with the ways to give them", () => {
  assertStringIncludes(
    reason(
      answer(aws, "whose account", { code: 253, stderr: noAwsCredentials }),
    ),
    "aws configure, aws sso login, or AWS_PROFILE or AWS_ACCESS_KEY_ID",
  );
  assertStringIncludes(
    reason(answer(gcp, "who asks", { code: 1, stderr: noAccount })),
    "gcloud wants an account: gcloud auth login",
  );
  assertStringIncludes(
    reason(answer(gcp, "who asks", { code: 1, stderr: noProject })),
    "the key gcp.project of the cluster file",
  );
});

Deno.test("terraform's plan is there or to be done by its exit code, and its text is for whoever agrees", () => {
  const plan = (outcome: Partial<Outcome>) =>
    answer(aws, "A network with 3 machines", outcome);
  assertEquals(plan({ stdout: "No changes." }), { is: "present", ours: true });
  assertEquals(plan({ code: 2, stdout: "Plan: 14 to add" }), {
    is: "absent",
    preview: "Plan: 14 to add",
  });
  assertEquals(
    plan({
      code: 1,
      stderr:
        'Error: Backend initialization required, please run "terraform init"',
    }),
    { is: "absent" },
  );
  assertStringIncludes(
    reason(plan({ code: 1, stderr: "Error: UnauthorizedOperation" })),
    "UnauthorizedOperation",
  );
  assertStringIncludes(
    reason(
      plan({ code: 1, stderr: "Error: No valid credential sources found" }),
    ),
    "AWS wants credentials",
  );
});

Deno.test("terraform is initialised, or not yet, or its configuration is wrong", () => {
  const validate = (said: unknown, code = 1) =>
    answer(aws, "terraform fetches", { code, stdout: JSON.stringify(said) });
  assertEquals(validate({ valid: true }, 0), { is: "present" });
  const missing = {
    summary: "Missing required provider",
    detail: 'run "terraform init"',
  };
  assertEquals(validate({ valid: false, diagnostics: [missing] }), {
    is: "absent",
  });
  const wrong = {
    summary: "Unsupported argument",
    detail: 'An argument named "x" is not expected here.',
  };
  assertStringIncludes(
    reason(validate({ valid: false, diagnostics: [wrong] })),
    "Unsupported argument",
  );
  assertEquals(
    answer(aws, "terraform fetches", { code: 1, stderr: "?" }).is,
    "unknown",
  );
});

/** `aws ec2 describe-route-tables` of a table with these routes. */
function table(...more: object[]): string {
  return JSON.stringify({
    RouteTables: [{
      Routes: [
        {
          DestinationCidrBlock: "10.0.0.0/16",
          GatewayId: "local",
          Origin: "CreateRouteTable",
          State: "active",
        },
        {
          DestinationCidrBlock: "0.0.0.0/0",
          GatewayId: "igw-1",
          Origin: "CreateRoute",
          State: "active",
        },
        ...more,
      ],
    }],
  });
}

function podRoute(NetworkInterfaceId: string, more: object = {}): object {
  return {
    DestinationCidrBlock: "10.244.1.0/24",
    NetworkInterfaceId,
    Origin: "CreateRoute",
    State: "active",
    ...more,
  };
}

Deno.test("a route of AWS's is there, to be made, to be turned, or somebody else's", () => {
  const route = (stdout: string) =>
    answer(aws, "pods of worker-1 to its interface", { stdout });
  assertEquals(route(table()), { is: "absent" });
  assertEquals(route(table(podRoute("eni-1"))), { is: "present" });
  assertEquals(route(table(podRoute("eni-1", { State: "blackhole" }))), {
    is: "absent",
  });
  assertEquals(route(table(podRoute("eni-gone", { State: "blackhole" }))), {
    is: "absent",
  });
  assertEquals(route(table(podRoute("eni-2"))), { is: "absent" });
  const other = route(table(podRoute("eni-9")));
  assert(other.is === "different", other.is);
  assertStringIncludes(other.found, "10.244.1.0/24 to eni-9, not to eni-1");
  assertEquals(route("").is, "unknown");
  assertEquals(
    answer(aws, "pods of worker-1 to its interface", {
      code: 254,
      stderr: "UnauthorizedOperation",
    }).is,
    "unknown",
  );
});

Deno.test("what AWS allows a route table is checked, and the ways out are named", () => {
  const limit = (quota: string, ...more: object[]) =>
    answer(aws, "A route table holds", {
      stdout: `${quota}\n${table(...more)}\n`,
    });
  // Three podCIDRs and the way out; the route to the VPC itself does not count.
  assertEquals(limit("50.0"), { is: "present" });
  assertEquals(limit("4"), { is: "present" });
  assertEquals(limit("4", podRoute("eni-1")), { is: "present" });
  assertEquals(
    limit("4", {
      DestinationCidrBlock: "172.16.0.0/12",
      GatewayId: "vgw-1",
      Origin: "EnableVgwRoutePropagation",
    }),
    { is: "present" },
  );
  const full = limit("3.0");
  assert(full.is === "different", full.is);
  assertStringIncludes(
    full.found,
    "3 podCIDRs and 1 other routes make 4, and AWS lets a route table hold 3",
  );
  assertStringIncludes(full.remedy, "request-service-quota-increase");
  assertStringIncludes(full.remedy, "routes: host");
  assertEquals(
    answer(aws, "A route table holds", {
      code: 254,
      stderr: "AccessDeniedException",
    }).is,
    "unknown",
  );
});

Deno.test("a route to a machine that 01 has not made is not made up", () => {
  const { routeTableId: _, ...unmade } = aws;
  const nodes = aws.nodes.map(({ machine: _, ...node }) => node);
  const cluster = { ...unmade, nodes };
  for (
    const why of ["pods of worker-1 to its interface", "A route table holds"]
  ) {
    assertStringIncludes(
      reason(answer(cluster, why, { stdout: table() })),
      "run 01-provision",
    );
  }
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

Deno.test("no planned command for a cloud bears a secret, and no key is in an argument", () => {
  for (const cluster of [aws, gcp]) {
    for (
      const { run, unless, prepares, undo } of [
        ...(provision.operatorSteps?.(cluster) ?? []),
        ...(routes.operatorSteps?.(cluster) ?? []),
      ]
    ) {
      const text = JSON.stringify([run, unless?.ask, prepares, undo]);
      assert(
        !/access_key|secret|token|PRIVATE KEY|ssh-ed25519/i.test(text),
        text,
      );
    }
  }
});
