/** How stages 01 and 08 read what terraform and aws say. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import type { Outcome } from "../../lib/exec/command.ts";
import {
  answer,
  notThere,
  plannedCluster,
  reason,
} from "./clouds_planned_testing.ts";

const aws = await plannedCluster("aws");

Deno.test("a missing terraform or aws is told with where to get it", () => {
  assertStringIncludes(
    reason(answer(aws, "terraform makes", notThere)),
    "terraform is missing on this machine: install 1.9 or newer, https://",
  );
  assertStringIncludes(
    reason(answer(aws, "whose account", notThere)),
    "aws is missing on this machine: install it, https://",
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

Deno.test("missing credentials of AWS's are told with the ways to give them", () => {
  // What aws 1.45 prints, recorded.
  const stderr =
    'Unable to locate credentials. You can configure credentials by running "aws configure".';
  assertStringIncludes(
    reason(answer(aws, "whose account", { code: 253, stderr })),
    "aws configure, aws sso login, or AWS_PROFILE or AWS_ACCESS_KEY_ID",
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
