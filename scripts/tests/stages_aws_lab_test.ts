/** Stages 01 and 08 on AWS from end to end, with a stand-in for terraform and aws, and a lab's nodes for machines. */
// @ts-types="../../lib/std/assert.d.ts"
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { cmd, type Outcome } from "../../lib/exec/command.ts";
import type { RunReport } from "../../lib/cli/report.ts";
import { secret, type TestCloud, withCloud } from "./clouds_testing.ts";
import { run } from "../../lib/exec/run.ts";

function rooted(name: string, body: (cloud: TestCloud) => Promise<void>): void {
  const ignore = Deno.uid() !== 0;
  const fn = () => withCloud("aws", body);
  Deno.test({ name: `${name} (needs root)`, ignore, fn });
}

function done(outcome: Outcome, code = 0): Outcome {
  assertEquals(outcome.code, code, outcome.stderr + outcome.stdout);
  return outcome;
}

function changes(outcome: Outcome): number {
  const { recap } = JSON.parse(outcome.stdout) as RunReport;
  return Object.values(recap).reduce((sum, { changed }) => sum + changed, 0);
}

/** Which verbs of a tool were called, without those that only ask. */
async function verbs(cloud: TestCloud): Promise<string[]> {
  const calls = await cloud.calls();
  return calls.flatMap((call) => {
    const word =
      / (init|apply|destroy|create-route|replace-route|delete-route) /
        .exec(`${call} `)?.[1];
    return word === undefined ? [] : [word];
  });
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}

async function routesOf({ fake }: TestCloud): Promise<unknown> {
  const text = await Deno.readTextFile(`${fake}/made`);
  return JSON.parse(text).routes;
}

rooted(
  "from nothing to routed machines and back: planned, agreed to, made, reached, routed, repeated, taken back",
  async (cloud) => {
    const { stateDir, fake } = cloud;
    const dry = done(await cloud.script("01-provision", "--dry-run"));
    for (const verb of ["init", "plan", "apply"]) {
      assertStringIncludes(dry.stdout, `config/terraform/aws ${verb} `);
    }
    const whole = done(await cloud.script("up", "--dry-run"));
    for (const part of ["kubeadm init", "ip link add cni0", "create-route"]) {
      assertStringIncludes(
        whole.stdout.replaceAll("aws_create_route.sh", "create-route"),
        part,
      );
    }
    assertEquals(await verbs(cloud), [], "a dry run did something");
    assert(!await exists(`${stateDir}/terraform`));

    const refused = done(await cloud.script("01-provision"), 1);
    assertStringIncludes(
      refused.stderr,
      "refused: this would change what the cluster aws has on AWS (eu-central-1)",
    );
    assertStringIncludes(refused.stderr, "say yes with -y");
    assertEquals(await verbs(cloud), ["init"]);

    const made = done(await cloud.script("01-provision", "-y"));
    assertStringIncludes(made.stderr, "Plan: 3 machines, as asked.");
    assertStringIncludes(
      made.stderr,
      "This will change what the cluster aws has on AWS",
    );
    assertEquals(await verbs(cloud), ["apply"]);
    for (
      const [path, mode] of [
        ["terraform", 0o700],
        ["terraform/terraform.tfstate", 0o600],
        ["terraform/plan", 0o600],
        ["ssh", 0o700],
        ["ssh/id_ed25519", 0o600],
        ["machines.json", 0o600],
      ] as const
    ) {
      const { mode: found } = await Deno.stat(`${stateDir}/${path}`);
      assertEquals((found ?? 0) & 0o777, mode, path);
    }
    // The machines were reached with the new key, and theirs are pinned.
    const pinned = await Deno.readTextFile(`${stateDir}/ssh/known_hosts`);
    assertEquals(pinned.trim().split("\n").length, 3);

    const again = done(await cloud.script("01-provision", "-o", "json"));
    assertEquals(changes(again), 0);
    assertEquals(await verbs(cloud), []);

    done(await cloud.script("08-routes"));
    assertEquals(await routesOf(cloud), {
      "10.244.0.0/24": "eni-master",
      "10.244.1.0/24": "eni-worker-1",
      "10.244.2.0/24": "eni-worker-2",
    });
    assertEquals(await verbs(cloud), Array(3).fill("create-route"));
    assertEquals(
      changes(done(await cloud.script("08-routes", "-o", "json"))),
      0,
    );

    // One node less: its machine goes, and then its route.
    const text = await Deno.readTextFile(cloud.file);
    const shorter = text.replace(/ {2}- name: worker-2\n( {4}.*\n)+/, "");
    assert(shorter !== text);
    await Deno.writeTextFile(cloud.file, shorter);
    done(await cloud.script("01-provision", "-y"));
    assertEquals(await verbs(cloud), ["apply"]);
    done(await cloud.script("08-routes"));
    assertEquals(await verbs(cloud), ["delete-route"]);
    assertEquals(await routesOf(cloud), {
      "10.244.0.0/24": "eni-master",
      "10.244.1.0/24": "eni-worker-1",
    });

    // A route that somebody took away already is no obstacle.
    const all = JSON.parse(await Deno.readTextFile(`${fake}/made`));
    delete all.routes["10.244.1.0/24"];
    await Deno.writeTextFile(`${fake}/made`, JSON.stringify(all));
    done(await cloud.script("08-routes", "--undo"));
    assertEquals(await routesOf(cloud), {});

    done(await cloud.script("01-provision", "--undo"), 1);
    assertEquals(
      await verbs(cloud),
      ["delete-route"],
      "nobody agreed to destroy",
    );
    assert(
      await exists(`${stateDir}/machines.json`),
      "forgotten, and still there",
    );
    const undone = done(await cloud.script("01-provision", "--undo", "-y"));
    assertStringIncludes(
      undone.stderr,
      "This will destroy all machines of the cluster aws",
    );
    assertEquals(await verbs(cloud), ["destroy"]);
    for (const path of ["terraform", "ssh", "machines.json"]) {
      assert(!await exists(`${stateDir}/${path}`), path);
    }
    await keepsSecrets(cloud);
  },
);

/** Nothing that was printed, written or called with has the operator's secrets, or the private key. */
async function keepsSecrets(
  { stateDir, fake, printed }: TestCloud,
): Promise<void> {
  assert(printed().length > 1000);
  const calls = await Deno.readTextFile(`${fake}/calls`);
  for (const text of [printed(), calls]) {
    assert(!text.includes(secret), "the secret was told");
    assert(!/PRIVATE KEY|ssh-ed25519 AAAA/.test(text), "the key was told");
  }
  const { code, stdout } = await run(cmd`grep -rl ${secret} ${stateDir}`);
  assertEquals([code, stdout], [1, ""]);
}

rooted(
  "an apply that fails half-way is told, and what it left is destroyed",
  async (cloud) => {
    await Deno.writeTextFile(
      `${cloud.fake}/fail`,
      "apply\nError: creating EC2 Instance: VcpuLimitExceeded",
    );
    const failed = done(await cloud.script("01-provision", "-y"), 1);
    assertStringIncludes(failed.stderr, "VcpuLimitExceeded");
    assertStringIncludes(
      failed.stderr,
      "run for: A network with 3 machines in it (t3.small, eu-central-1)",
    );
    assert(!await exists(`${cloud.stateDir}/machines.json`));
    assertEquals(await verbs(cloud), ["init", "apply"]);
    await Deno.writeTextFile(
      `${cloud.fake}/fail`,
      "destroy\nError: DependencyViolation",
    );
    const stuck = done(await cloud.script("01-provision", "--undo", "-y"), 1);
    assertStringIncludes(stuck.stderr, "DependencyViolation");
    assert(
      await exists(`${cloud.stateDir}/terraform/terraform.tfstate`),
      "the state is gone, and machines are left",
    );
    await Deno.remove(`${cloud.fake}/fail`);
    done(await cloud.script("01-provision", "--undo", "-y"));
    assertEquals(await verbs(cloud), ["destroy", "destroy"]);
    assert(!await exists(`${cloud.stateDir}/terraform`));
    await keepsSecrets(cloud);
  },
);

rooted(
  "where AWS allows too few routes, none is made, and the ways out are named",
  async (cloud) => {
    done(await cloud.script("01-provision", "-y"));
    await verbs(cloud);
    await Deno.writeTextFile(`${cloud.fake}/quota`, "3.0");
    const full = done(await cloud.script("08-routes"), 1);
    assertStringIncludes(
      full.stderr,
      "3 podCIDRs and 1 other routes make 4, and AWS lets a route table hold 3",
    );
    assertStringIncludes(full.stderr, "routes: host");
    assertEquals(await verbs(cloud), []);

    // The way out that it names: the nodes, on one segment, keep the routes.
    const text = await Deno.readTextFile(cloud.file);
    await Deno.writeTextFile(
      cloud.file,
      text.replace("routes: aws", "routes: host"),
    );
    const report = done(await cloud.script("08-routes", "-o", "json"));
    const { results } = JSON.parse(report.stdout) as RunReport;
    assertEquals(
      results.filter(({ command }) => command.startsWith("ip route replace"))
        .length,
      6,
    );

    // And back: the nodes' routes go, AWS's come.
    await Deno.remove(`${cloud.fake}/quota`);
    await Deno.writeTextFile(cloud.file, text);
    const back = done(await cloud.script("08-routes", "-o", "json"));
    const commands = (JSON.parse(back.stdout) as RunReport).results.map((
      { command },
    ) => command);
    assertEquals(
      commands.filter((command) => command.startsWith("ip -4 route flush"))
        .length,
      6,
    );
    assertEquals(await verbs(cloud), Array(3).fill("create-route"));
    await Deno.writeTextFile(
      cloud.file,
      text.replace("routes: aws", "routes: host"),
    );
    done(await cloud.script("08-routes"));
    assertEquals(await verbs(cloud), Array(3).fill("delete-route"));
    assertEquals(await routesOf(cloud), {});
  },
);

rooted(
  "without credentials, and on the way to a machine that is not made, a clear line says what to do",
  async (cloud) => {
    const early = done(await cloud.script("08-routes"), 1);
    assertStringIncludes(
      early.stderr,
      "no machine is known for any node: run 01-provision",
    );
    const unreached = done(await cloud.script("04-bridge"), 4);
    assertStringIncludes(
      unreached.stderr,
      "no running machine is known for it: make 01-provision",
    );
    const tool = `${cloud.fake}/bin/aws`;
    const text = await Deno.readTextFile(tool);
    await Deno.writeTextFile(
      tool,
      text.replace("exec ", "unset AWS_SECRET_ACCESS_KEY; exec "),
    );
    const nobody = done(await cloud.script("01-provision", "-y"), 1);
    assertStringIncludes(nobody.stderr, "AWS wants credentials: aws configure");
    assertEquals(await verbs(cloud), []);
  },
);
